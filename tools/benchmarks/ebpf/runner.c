// ns per packet of the kernel's JIT-compiled eBPF balancer: runner OBJECT CASE FLOWS PACKETS ROUNDS
//
// The flows are those of culvert-bench: established, reply, new, direct (no Service) and malformed. Prints one JSON object
// of the same form. The time is the processor time of this thread, in which the test run happens.
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct svc_key { uint32_t vip; uint16_t port; uint8_t proto, pad; };
struct svc { uint32_t id, backends; };
struct backend { uint32_t addr; uint16_t port, pad; };
struct flow { uint32_t src, dst; uint16_t sport, dport; uint32_t proto; };
struct nat { uint32_t addr; uint16_t port, reverse; };
struct tuple { uint32_t source, destination; uint16_t source_port, destination_port; };

enum { BACKENDS = 40, FRAME = 14 + 64 };
static struct tuple *tuples;
static unsigned flows;
static unsigned char frame[FRAME];
static unsigned length = FRAME;

static void die(const char *what)
{
	fprintf(stderr, "runner: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int map(struct bpf_object *object, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);
	if (fd < 0) die(name);
	return fd;
}

static void update(int fd, const void *key, const void *value)
{
	if (bpf_map_update_elem(fd, key, value, BPF_ANY)) die("update of a map");
}

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

// Runs a program `repeat` times and gives the ns per run; the last run must return `verdict`.
static double run(int program, unsigned repeat, int verdict)
{
	static unsigned char out[512];
	unsigned char in[FRAME];
	memcpy(in, frame, sizeof in);
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = in, .data_size_in = length, .data_out = out,
		    .data_size_out = sizeof out, .repeat = repeat);
	double begin = now();
	if (bpf_prog_test_run_opts(program, &options)) die("BPF_PROG_TEST_RUN");
	double took = now() - begin;
	if ((int)options.retval != verdict) {
		fprintf(stderr, "runner: verdict %u instead of %d\n", options.retval, verdict);
		exit(1);
	}
	return took / repeat;
}

static void make_frame(int malformed)
{
	frame[12] = 8;
	frame[14] = 0x45;
	frame[17] = malformed ? 32 : 64;
	frame[20] = 0x40;
	frame[22] = 64;
	frame[23] = 6;
	frame[46] = 0x50;
	frame[47] = 0x10;
	if (malformed) length = 14 + 32;
}

static void make_tuples(int direct)
{
	tuples = calloc(flows, sizeof *tuples);
	if (!tuples) die("memory");
	for (unsigned n = 0; n < flows; n++) {
		tuples[n].source = htonl(0x0af48001 + n / 60000);
		tuples[n].source_port = htons(1024 + n % 60000);
		tuples[n].destination = htonl(direct ? 0xcb007109 : 0x0a60000a);
		tuples[n].destination_port = htons(direct ? 443 : 80);
	}
}

// Puts the flows into an order of their own, the same in every run.
static void shuffle(void)
{
	uint64_t state = 0x9e3779b97f4a7c15;
	for (unsigned n = flows - 1; n > 0; n--) {
		state ^= state << 13, state ^= state >> 7, state ^= state << 17;
		unsigned other = state % (n + 1);
		struct tuple kept = tuples[n];
		tuples[n] = tuples[other], tuples[other] = kept;
	}
}

static void store_tuples(int fd)
{
	uint32_t *keys = calloc(flows, sizeof *keys), count = flows;
	if (!keys) die("memory");
	for (unsigned n = 0; n < flows; n++) keys[n] = n;
	if (bpf_map_update_batch(fd, keys, tuples, &count, NULL)) die("update of the tuples");
	free(keys);
}

static void add_service(struct bpf_object *object)
{
	struct svc_key key = { htonl(0x0a60000a), htons(80), 6, 0 };
	struct svc service = { 0, BACKENDS };
	update(map(object, "services"), &key, &service);
	for (unsigned n = 0; n < BACKENDS; n++) {
		struct backend backend = { htonl(0x0af40100 + n), htons(8080), 0 };
		update(map(object, "backends"), &n, &backend);
	}
}

// Turns every tuple into that of its answer.
static void turn_around(int fd)
{
	for (unsigned n = 0; n < flows; n++) {
		struct tuple *t = &tuples[n];
		struct flow key = { t->source, t->destination, t->source_port, t->destination_port, 6 };
		struct nat nat;
		if (bpf_map_lookup_elem(fd, &key, &nat)) die("a flow was evicted");
		*t = (struct tuple){ nat.addr, t->source, nat.port, t->source_port };
	}
}

static void empty(int fd)
{
	enum { ROOM = 65536 };
	static struct flow keys[ROOM];
	static struct nat values[ROOM];
	uint32_t place, next, count;
	void *from = NULL;
	int failed;
	do {
		count = ROOM;
		failed = bpf_map_lookup_and_delete_batch(fd, from, &next, keys, values, &count, NULL);
		if (failed && errno != ENOENT) die("emptying a map");
		place = next;
		from = &place;
	} while (!failed);
}

static void list(const char *name, const double *values, int count)
{
	printf(",\"%s\":[", name);
	for (int n = 0; n < count; n++) printf("%s%.3f", n ? "," : "", values[n]);
	printf("]");
}

int main(int count, char **arguments)
{
	if (count != 6) return 2;
	const char *kind = arguments[2];
	flows = atoi(arguments[3]);
	unsigned packets = atoi(arguments[4]), rounds = atoi(arguments[5]);
	int is_new = !strcmp(kind, "new"), is_direct = !strcmp(kind, "direct"), is_malformed = !strcmp(kind, "malformed");
	int is_reply = !strcmp(kind, "reply");
	int verdict = is_direct ? 2 : is_malformed ? 1 : 3;

	struct bpf_object *object = bpf_object__open_file(arguments[1], NULL);
	if (!object) die(arguments[1]);
	// Two entries a flow, and two thirds full, as Culvert's table is.
	unsigned entries = flows * 3 > 4096 ? flows * 3 : 4096;
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "flows"), entries);
	bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "tuples"), flows);
	// The read-only data is hash_seed and flow_count; the count is the one that is 1 as compiled.
	size_t size;
	struct bpf_map *rodata = bpf_object__find_map_by_name(object, ".rodata");
	const void *initial = bpf_map__initial_value(rodata, &size);
	uint32_t constants[16];
	if (!initial || size > sizeof constants) die(".rodata");
	memcpy(constants, initial, size);
	for (size_t n = 0; n < size / 4; n++) if (constants[n] == 1) constants[n] = flows;
	if (bpf_map__set_initial_value(rodata, constants, size)) die(".rodata");
	if (bpf_object__load(object)) die("load");

	int fill = bpf_program__fd(bpf_object__find_program_by_name(object, "fill"));
	int balance = bpf_program__fd(bpf_object__find_program_by_name(object, "balance"));
	make_frame(is_malformed);
	make_tuples(is_direct);
	add_service(object);
	store_tuples(map(object, "tuples"));
	if (!is_new && !is_direct && !is_malformed) run(balance, flows, 3);
	if (is_reply) turn_around(map(object, "flows"));
	shuffle();
	store_tuples(map(object, "tuples"));

	if (is_new) packets = flows;
	double alone[64], all[64];
	if (rounds > 64) rounds = 64;
	for (unsigned round = 0; round <= rounds; round++) {
		unsigned at = round ? round - 1 : 0;
		if (is_new) empty(map(object, "flows"));
		alone[at] = run(fill, packets, 2);
		all[at] = run(balance, packets, verdict);
	}
	printf("{\"case\":\"%s\",\"flows\":%u,\"capacity\":%u", kind, flows, entries / 2);
	list("filling", alone, rounds);
	list("all", all, rounds);
	printf("}\n");
	return 0;
}
