/*-------------------------------------------------------------------------
 *
 * build_test.c
 *		The batch builder over synthetic data, and over a file if one is given.
 *
 *		build_test [base.bvecs | base.fvecs [degree [ef_construction [l1]]]]
 *
 * With a file, the last QUERIES vectors of it are searched for in a graph of
 * the others, and time and recall are printed.  Distances are those of the
 * 8-bit codes throughout, as the graph is what is tested here.
 *
 *-------------------------------------------------------------------------
 */
#include "pgshim.h"

#include <math.h>
#include <time.h>

#include "build/build.h"
#include "common/pg_prng.h"
#include "simd/simd.h"

#define QUERIES		300
#define FOUND		10			/* of recall@10 */
#define MAX_EF		400
#define SEEDS		4			/* entries that a search starts from */

typedef struct Data
{
	const char *name;
	int			width;
	uint32		n;
	int8	   *codes;
	int8	   *queries;		/* QUERIES rows */
} Data;

static bool l1;					/* of all distances */
static int	passed;
static int	failed;
static pg_prng_state prng;

static void
check(bool ok, const char *what, const char *data)
{
	if (ok)
		passed++;
	else
	{
		failed++;
		printf("FAILED: %s, %s\n", what, data);
	}
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

/*
 * Data.
 */

static int8
clip(double x)
{
	x = rint(x);
	return x < -127 ? -127 : x > 127 ? 127 : (int8) x;
}

/* Irwin-Hall: near enough to normal. */
static double
gauss(void)
{
	double		sum = -6;

	for (int i = 0; i < 12; i++)
		sum += pg_prng_double(&prng);
	return sum;
}

static int	compare_width;

static int
compare_rows(const void *a, const void *b)
{
	return memcmp(a, b, compare_width);
}

/* Leave each code once, in random order, the last QUERIES as queries. */
static void
finish_data(Data *data)
{
	int			width = data->width;
	uint32		n = 0;

	compare_width = width;
	qsort(data->codes, data->n, width, compare_rows);
	for (uint32 i = 0; i < data->n; i++)
		if (i == 0 || memcmp(data->codes + (Size) i * width,
							 data->codes + (Size) (n - 1) * width, width) != 0)
			memmove(data->codes + (Size) n++ * width,
					data->codes + (Size) i * width, width);
	for (uint32 i = n - 1; i > 0; i--)
	{
		int8	   *a = data->codes + (Size) i * width;
		int8	   *b = data->codes +
			(Size) pg_prng_uint64_range(&prng, 0, i) * width;

		for (int j = 0; j < width; j++)
		{
			int8		swap = a[j];

			a[j] = b[j];
			b[j] = swap;
		}
	}
	data->n = n - QUERIES;
	data->queries = data->codes + (Size) data->n * width;
}

static Data
new_data(const char *name, int width, uint32 n)
{
	Data		data = {name, width, n + QUERIES, NULL, NULL};

	data.codes = calloc((Size) data.n * width, 1);
	return data;
}

/* centres clusters of normal distribution, in the first dims dimensions. */
static Data
make_mixture(const char *name, int width, int dims, uint32 n, int centres,
			 double spread, double sigma)
{
	Data		data = new_data(name, width, n);
	double	   *centre = malloc(sizeof(double) * centres * dims);

	for (int i = 0; i < centres * dims; i++)
		centre[i] = spread * (2 * pg_prng_double(&prng) - 1);
	for (uint32 i = 0; i < data.n; i++)
	{
		int			c = pg_prng_uint64_range(&prng, 0, centres - 1);

		for (int j = 0; j < dims; j++)
			data.codes[(Size) i * width + j] =
				clip(centre[c * dims + j] + sigma * gauss());
	}
	free(centre);
	finish_data(&data);
	return data;
}

static Data
make_uniform(const char *name, int width, int dims, uint32 n)
{
	Data		data = new_data(name, width, n);

	for (uint32 i = 0; i < data.n; i++)
		for (int j = 0; j < dims; j++)
			data.codes[(Size) i * width + j] =
				clip(254 * pg_prng_double(&prng) - 127);
	finish_data(&data);
	return data;
}

/* Few places, and codes that differ in lowest bits only at each. */
static Data
make_near_duplicates(uint32 n)
{
	Data		data = new_data("near duplicates", 64, n);

	for (uint32 i = 0; i < data.n; i++)
		for (int j = 0; j < 64; j++)
			data.codes[i * 64 + j] = ((i % 40) * (j + 7) * 37 % 200 - 100) / 2 *
				2 + (j < 14 ? pg_prng_bool(&prng) : 0);
	finish_data(&data);
	return data;
}

static Data
make_line(uint32 n)
{
	Data		data = new_data("line", 64, n);

	for (uint32 i = 0; i < data.n; i++)
		for (int j = 0; j < 64; j++)
			data.codes[i * 64 + j] =
				clip((250.0 * i / data.n - 125) * (j % 2 ? 1 : -1) +
					 (j % 5) * 0.2);
	finish_data(&data);
	return data;
}

/*
 * Truth and search.
 */

typedef struct Hit
{
	int32		distance;
	uint32		node;
} Hit;

static int32
distance(int width, const int8 *a, const int8 *b)
{
	int32		sum = 0;

	for (int i = 0; i < width; i++)
	{
		int16		d = a[i] - b[i];

		sum += l1 ? abs(d) : d * d;
	}
	return sum;
}

/* Insert into an ascending list of at most "most"; false if too far. */
static bool
insert(Hit *list, int *n, int most, Hit hit)
{
	int			i = *n;

	if (i == most && hit.distance >= list[i - 1].distance)
		return false;
	if (i < most)
		(*n)++;
	else
		i--;
	for (; i > 0 && list[i - 1].distance > hit.distance; i--)
		list[i] = list[i - 1];
	list[i] = hit;
	return true;
}

/* Distance of the FOUND-th nearest of all codes. */
static int32
true_distance(const Data *data, const int8 *query)
{
	Hit			list[FOUND];
	int			n = 0;

	for (uint32 i = 0; i < data->n; i++)
	{
		Hit			hit = {distance(data->width, query,
									data->codes + (Size) i * data->width), i};

		insert(list, &n, FOUND, hit);
	}
	return list[n - 1].distance;
}

typedef struct Search
{
	const Data *data;
	const OmenGraph *graph;
	const int8 *query;
	int			ef;
	uint32	   *visited;		/* number of the search that saw the node */
	uint32		number;
	Hit			pool[MAX_EF];
	bool		expanded[MAX_EF];
	int			npool;
	uint64		distances;		/* without those to the entries */
} Search;

static Hit
measure(Search *search, uint32 node)
{
	const Data *data = search->data;
	Hit			hit = {distance(data->width, search->query,
								data->codes +
								(Size) search->graph->order[node] *
								data->width), node};

	return hit;
}

/* Nodes that were expanded carry the sign bit. */
#define EXPANDED	(UINT32_C(1) << 31)

static void
visit(Search *search, uint32 node)
{
	if (search->visited[node] == search->number)
		return;
	search->visited[node] = search->number;
	search->distances++;
	insert(search->pool, &search->npool, search->ef, measure(search, node));
}

/* Plain best-first search from the SEEDS nearest entries. */
static void
run_search(Search *search)
{
	const OmenGraph *graph = search->graph;
	Hit			seeds[SEEDS];
	int			nseeds = 0;
	int			at;

	search->number++;
	search->npool = 0;
	for (uint32 i = 0; i < graph->ndirectory; i++)
		insert(seeds, &nseeds, SEEDS, measure(search, graph->directory[i]));
	for (int i = 0; i < nseeds; i++)
		visit(search, seeds[i].node);
	for (;;)
	{
		const uint32 *links;
		uint32		node;

		for (at = 0; at < search->npool; at++)
			if ((search->pool[at].node & EXPANDED) == 0)
				break;
		if (at == search->npool)
			break;
		node = search->pool[at].node;
		search->pool[at].node |= EXPANDED;
		links = graph->neighbors + (Size) node * graph->degree;
		for (int i = 0; i < graph->degrees[node]; i++)
			visit(search, links[i]);
	}
}

/* Share of the FOUND nearest that a search with ef finds; ties count. */
static double
recall(const Data *data, const OmenGraph *graph, const int32 *truth, int ef,
	   double *distances)
{
	Search	   *search = calloc(1, sizeof(Search));
	uint64		hits = 0;

	search->data = data;
	search->graph = graph;
	search->ef = ef;
	search->visited = calloc(graph->n, sizeof(uint32));
	for (int q = 0; q < QUERIES; q++)
	{
		search->query = data->queries + (Size) q * data->width;
		run_search(search);
		for (int i = 0; i < FOUND && i < search->npool; i++)
			hits += search->pool[i].distance <= truth[q];
	}
	*distances = (double) search->distances / QUERIES;
	free(search->visited);
	free(search);
	return (double) hits / (QUERIES * FOUND);
}

/*
 * Checks of a graph.
 */

static uint32
count_reachable(const OmenGraph *graph, uint32 from)
{
	bool	   *seen = calloc(graph->n, sizeof(bool));
	uint32	   *queue = malloc(graph->n * sizeof(uint32));
	uint32		n = 0;

	seen[from] = true;
	queue[n++] = from;
	for (uint32 head = 0; head < n; head++)
		for (int i = 0; i < graph->degrees[queue[head]]; i++)
		{
			uint32		next = graph->neighbors[(Size) queue[head] *
												graph->degree + i];

			if (!seen[next])
			{
				seen[next] = true;
				queue[n++] = next;
			}
		}
	free(seen);
	free(queue);
	return n;
}

/* Distance of the codes, for L2 without their lowest bits. */
static int32
coarse_distance(const Data *data, const OmenGraph *graph, uint32 a, uint32 b)
{
	const int8 *x = data->codes + (Size) graph->order[a] * data->width;
	const int8 *y = data->codes + (Size) graph->order[b] * data->width;
	int32		sum = 0;

	if (l1)
		return distance(data->width, x, y);
	for (int i = 0; i < data->width; i++)
	{
		int			d = (x[i] + 128) / 2 - (y[i] + 128) / 2;

		sum += d * d;
	}
	return sum;
}

static void
check_neighbors(const Data *data, const OmenGraph *graph)
{
	bool		in_range = true;
	bool		distinct = true;
	uint32		ascending = 0;

	for (uint32 node = 0; node < graph->n; node++)
	{
		const uint32 *links = graph->neighbors + (Size) node * graph->degree;
		double		halves[2] = {0, 0};

		in_range &= graph->degrees[node] <= graph->degree;
		if (graph->n <= graph->degree + 1)
			in_range &= graph->degrees[node] == graph->n - 1;
		for (int i = 0; i < graph->degrees[node]; i++)
		{
			int			half = graph->degrees[node] / 2;

			in_range &= links[i] < graph->n && links[i] != node;
			for (int j = 0; j < i; j++)
				distinct &= links[i] != links[j];
			if (half > 0 && (i < half || i >= graph->degrees[node] - half))
				halves[i >= half] += coarse_distance(data, graph, node,
													 links[i]);
		}
		ascending += halves[0] <= halves[1];
	}
	check(in_range, "degrees and links in range", data->name);
	check(distinct, "links are distinct", data->name);
	/* as far as the dimensions tell that the builder looks at */
	check(ascending >= graph->n - graph->n / 100, "nearest first",
		  data->name);
}

static void
check_graph(const Data *data, const OmenGraph *graph)
{
	bool	   *seen = calloc(graph->n, sizeof(bool));
	bool		permutation = graph->n == data->n;
	bool		entries = graph->ndirectory > 0 &&
		graph->ndirectory <= graph->n;

	for (uint32 i = 0; i < graph->n; i++)
	{
		permutation &= graph->order[i] < graph->n && !seen[graph->order[i]];
		seen[graph->order[i]] = true;
	}
	for (uint32 i = 0; i < graph->ndirectory; i++)
		entries &= graph->directory[i] < graph->n &&
			(i == 0 || graph->directory[i] > graph->directory[i - 1]);
	check(permutation, "order is a permutation", data->name);
	check(entries, "entries ascend", data->name);
	check_neighbors(data, graph);
	check(count_reachable(graph, graph->directory[0]) == graph->n,
		  "every node is reachable", data->name);
	free(seen);
}

static bool
same_graph(const OmenGraph *a, const OmenGraph *b)
{
	if (a->n != b->n || a->ndirectory != b->ndirectory ||
		memcmp(a->order, b->order, a->n * sizeof(uint32)) != 0 ||
		memcmp(a->degrees, b->degrees, a->n * sizeof(uint16)) != 0 ||
		memcmp(a->directory, b->directory, a->ndirectory * sizeof(uint32)) != 0)
		return false;
	for (uint32 i = 0; i < a->n; i++)
		if (memcmp(a->neighbors + (Size) i * a->degree,
				   b->neighbors + (Size) i * b->degree,
				   a->degrees[i] * sizeof(uint32)) != 0)
			return false;
	return true;
}

/*
 * Builds.
 */

typedef struct Progress
{
	double		seconds[OMEN_BUILD_PHASES];
	double		last;
	OmenBuildPhase phase;
	bool		sane;
} Progress;

static void
note_progress(void *arg, OmenBuildPhase phase, uint32 done, uint32 total)
{
	Progress   *progress = arg;
	double		t = now();

	progress->sane &= phase >= progress->phase && done <= total;
	progress->seconds[phase] += t - progress->last;
	progress->last = t;
	progress->phase = phase;
}

static OmenGraph *
build(const Data *data, OmenBuildParams params, Progress *progress)
{
	OmenGraph  *graph;

	memset(progress, 0, sizeof(*progress));
	progress->sane = true;
	progress->last = now();
	params.l1 = l1;
	params.width = data->width;
	graph = OmenBuildGraph(&params, data->codes, NULL, data->n,
						   note_progress,
						   progress);
	OmenFinishGraph(graph);
	check(progress->sane, "progress goes forward", data->name);
	return graph;
}

/* The estimate is within 20 % of what was allocated, but for 256 kB. */
static OmenGraph *
build_and_check(const Data *data, OmenBuildParams params)
{
	Size		before = ShimAllocated();
	Size		peak;
	Size		estimate;
	Progress	progress;
	OmenGraph  *graph;

	ShimResetPeak();
	graph = build(data, params, &progress);
	peak = ShimPeak() - before;
	params.l1 = l1;
	params.width = data->width;
	estimate = OmenBuildMemory(&params, data->n);
	check(peak < estimate * 1.2 + 262144 && estimate < peak * 1.2 + 262144,
		  "memory estimate", data->name);
	check_graph(data, graph);
	return graph;
}

static void
check_recall(const Data *data, const OmenGraph *graph, int ef, double least)
{
	int32		truth[QUERIES];
	double		distances;
	double		share;

	for (int q = 0; q < QUERIES; q++)
		truth[q] = true_distance(data, data->queries +
								 (Size) q * data->width);
	share = recall(data, graph, truth, ef, &distances);
	printf("%-16s recall@10 %.4f at ef %d, %.0f distances\n", data->name,
		   share, ef, distances);
	check(share >= least, "recall", data->name);
}

static const OmenBuildParams default_params = {
	.degree = 32, .ef_construction = 64, .chunk_size = 5000, .seed = 42
};

/* Quality, and the same graph on every instruction set. */
static void
test_data(Data data, double least)
{
	OmenGraph  *graph;
	Progress	progress;

	OmenSimdUse(OMEN_SIMD_SCALAR);
	graph = build_and_check(&data, default_params);
	check_recall(&data, graph, 40, least);
	for (int level = 0; level < OMEN_SIMD_LEVELS; level++)
	{
		OmenGraph  *other;

		if (!OmenSimdUse(level))
			continue;
		other = build(&data, default_params, &progress);
		check(same_graph(graph, other), OmenSimdName(level), data.name);
		OmenFreeGraph(other);
	}
	OmenFreeGraph(graph);
	check(ShimAllocated() == 0, "nothing is left allocated", data.name);
	free(data.codes);
}

/* Every size around the limits, and every kind of parameters. */
static void
test_shapes(void)
{
	static const uint32 sizes[] = {1, 2, 3, 5, 17, 33, 34, 100, 999, 1000,
	1001, 1200, 2500};
	static const int degrees[] = {4, 13, 32, 64, 200};
	static const int efs[] = {10, 64, 200};
	Data		data = make_mixture("shapes", 96, 90, 2500, 20, 90, 12);

	OmenSimdUse(OmenSimdBest());
	for (int i = 0; i < lengthof(sizes); i++)
		for (int j = 0; j < lengthof(degrees); j++)
			for (int k = 0; k < lengthof(efs); k++)
			{
				OmenBuildParams params = default_params;

				data.n = sizes[i];
				params.degree = degrees[j];
				params.ef_construction = efs[k];
				params.chunk_size = 100 + 900 * k;
				OmenFreeGraph(build_and_check(&data, params));
			}
	free(data.codes);
}

/* Other parameters must not do worse than they should. */
static void
test_params(void)
{
	static const struct
	{
		int			degree;
		int			ef;
		double		least;
	}			cases[] = {
		{32, 10, 0.98}, {32, 200, 0.98}, {16, 64, 0.97}, {64, 64, 0.98}
	};
	Data		data = make_mixture("parameters", 64, 24, 12000, 30, 60, 20);

	for (int i = 0; i < lengthof(cases); i++)
	{
		OmenBuildParams params = default_params;
		OmenGraph  *graph;

		params.degree = cases[i].degree;
		params.ef_construction = cases[i].ef;
		graph = build_and_check(&data, params);
		check_recall(&data, graph, 40, cases[i].least);
		OmenFreeGraph(graph);
	}
	free(data.codes);
}

/*
 * Clusters that are smaller than a node's list of candidates: links to others
 * come from the choice of neighbours alone.
 */
static void
test_choice(void)
{
	Data		data = make_mixture("islands", 64, 16, 6000, 400, 100, 3);
	OmenBuildParams params = default_params;
	OmenGraph  *graph;

	params.degree = 16;
	graph = build_and_check(&data, params);
	check_recall(&data, graph, 20, 0.95);
	OmenFreeGraph(graph);
	free(data.codes);
}

/* The same by L1 distances. */
static void
test_l1(void)
{
	l1 = true;
	test_data(make_mixture("mixture, L1", 64, 24, 8000, 50, 60, 20), 0.99);
	test_data(make_mixture("wide, L1", 608, 600, 4000, 40, 20, 30), 0.97);
	test_data(make_uniform("uniform, L1", 32, 8, 8000), 0.99);
	test_data(make_near_duplicates(5000), 0.85);
	test_data(make_mixture("tight clusters, L1", 128, 128, 8000, 80, 100, 2),
			  0.98);
	test_data(make_line(5000), 0.99);
	test_shapes();
	l1 = false;
}

/* A second seed gives a second graph, as good. */
static void
test_seed(void)
{
	Data		data = make_mixture("seed", 64, 24, 6000, 30, 60, 20);
	OmenBuildParams params = default_params;
	OmenGraph  *first = build_and_check(&data, params);
	OmenGraph  *second;

	params.seed++;
	second = build_and_check(&data, params);
	check(!same_graph(first, second), "the seed matters", data.name);
	OmenFreeGraph(first);
	OmenFreeGraph(second);
	free(data.codes);
}

static void
test_names(void)
{
	for (int i = 0; i < OMEN_BUILD_PHASES; i++)
		check(OmenBuildPhaseName(i) != NULL, "phase name", "");
}

/*
 * Files.
 */

/* Mean of a dimension, and the clip of all: 99.9 % of |x - mean|. */
static int8 *
quantize(const float *values, uint32 n, int dims, int width)
{
	int8	   *codes = calloc((Size) n * width, 1);
	double	   *mean = calloc(dims, sizeof(double));
	uint32		histogram[4096] = {0};
	double		most = 0;
	double		limit;
	Size		left = (Size) n * dims / 1000;
	int			bucket = 4096;

	for (Size i = 0; i < (Size) n * dims; i++)
		mean[i % dims] += values[i] / n;
	for (Size i = 0; i < (Size) n * dims; i++)
		most = Max(most, fabs(values[i] - mean[i % dims]));
	for (Size i = 0; i < (Size) n * dims; i++)
		histogram[(int) (fabs(values[i] - mean[i % dims]) / most * 4095)]++;
	while (left >= histogram[bucket - 1])
		left -= histogram[--bucket];
	limit = most * bucket / 4096;
	for (Size i = 0; i < (Size) n * dims; i++)
		codes[i / dims * width + i % dims] =
			clip((values[i] - mean[i % dims]) / limit * 127);
	free(mean);
	return codes;
}

static Data
read_file(const char *path)
{
	Data		data = {path, 0, 0, NULL, NULL};
	FILE	   *file = fopen(path, "rb");
	bool		bytes = strstr(path, ".bvecs") != NULL;
	int32		dims = 0;
	Size		row;
	float	   *values;
	Size		size;

	if (file == NULL || fread(&dims, 4, 1, file) != 1)
		return data;
	row = bytes ? dims : dims * sizeof(float);
	fseek(file, 0, SEEK_END);
	size = ftell(file);
	data.width = TYPEALIGN(32, dims);
	data.n = size / (row + 4);
	values = malloc((Size) data.n * dims * sizeof(float));
	for (uint32 i = 0; i < data.n; i++)
	{
		float	   *to = values + (Size) i * dims;

		fseek(file, (Size) i * (row + 4) + 4, SEEK_SET);
		if (fread(to, row, 1, file) != 1)
			return data;
		for (int j = dims - 1; bytes && j >= 0; j--)
			to[j] = ((uint8 *) to)[j];
	}
	fclose(file);
	data.codes = quantize(values, data.n, dims, data.width);
	free(values);
	finish_data(&data);
	return data;
}

static void
test_file(Data data, OmenBuildParams params)
{
	static const int efs[] = {10, 20, 40, 80, 160, 320};
	int32		truth[QUERIES];
	OmenGraph  *first = NULL;
	double		distances;

	for (int level = 0; level < OMEN_SIMD_LEVELS; level++)
	{
		Progress	progress;
		OmenGraph  *graph;
		double		start = now();

		if (level == OMEN_SIMD_SCALAR || !OmenSimdUse(level))
			continue;
		graph = build(&data, params, &progress);
		printf("%s: %u vectors in %.3f s, %.2f us/vector:", OmenSimdName(level),
			   data.n, now() - start, (now() - start) / data.n * 1e6);
		for (int i = 0; i < OMEN_BUILD_PHASES; i++)
			printf(" %s %.2f", OmenBuildPhaseName(i),
				   progress.seconds[i] / data.n * 1e6);
		printf("\n");
		if (first == NULL)
			first = graph;
		else
			check(same_graph(first, graph), OmenSimdName(level), data.name);
	}
	check_graph(&data, first);
	for (int q = 0; q < QUERIES; q++)
		truth[q] = true_distance(&data, data.queries +
								 (Size) q * data.width);
	for (int i = 0; i < lengthof(efs); i++)
	{
		double		share = recall(&data, first, truth, efs[i], &distances);

		printf("ef %d: recall@10 %.4f, %.0f distances\n", efs[i], share,
			   distances);
	}
}

int
main(int argc, char **argv)
{
	ShimStart();
	pg_prng_seed(&prng, 1);
	if (argc > 1)
	{
		OmenBuildParams params = default_params;
		Data		data = read_file(argv[1]);

		if (argc > 2)
			params.degree = atoi(argv[2]);
		if (argc > 3)
			params.ef_construction = atoi(argv[3]);
		l1 = argc > 4;
		check(data.queries != NULL, "read the file", argv[1]);
		if (data.queries != NULL)
			test_file(data, params);
	}
	else
	{
		test_names();
		test_data(make_mixture("mixture", 64, 24, 8000, 50, 60, 20), 0.99);
		test_data(make_mixture("wide", 608, 600, 4000, 40, 20, 30), 0.97);
		test_data(make_uniform("uniform", 32, 8, 8000), 0.99);
		test_data(make_uniform("many dimensions", 32, 24, 12000), 0.94);
		test_data(make_near_duplicates(5000), 0.85);
		test_data(make_mixture("tight clusters", 128, 128, 8000, 80, 100, 2),
				  0.98);
		test_data(make_mixture("small islands", 128, 128, 16000, 500, 100, 2),
				  0.99);
		test_data(make_mixture("tiny islands", 128, 128, 16000, 800, 100, 1),
				  0.99);
		test_data(make_line(5000), 0.99);
		test_seed();
		test_params();
		test_choice();
		test_shapes();
		test_l1();
	}
	printf("%d passed, %d failed\n", passed, failed);
	return failed != 0;
}
