// The two programs that `tools/bench memory` runs by BPF_PROG_TEST_RUN.
//
// A test run hands the output of one repetition to the next, which would translate once and miss ever after. So both
// write the tuple of the next flow into the packet first; `balance` then runs the balancer, inlined, and `fill` does not.
// The difference is the balancer.
#include <linux/bpf.h>
struct xdp_md;
__attribute__((always_inline)) int svc_lb(struct xdp_md *ctx);
#include "svc_lb.bpf.c"

struct tuple { __be32 source, destination; __be16 source_port, destination_port; };

struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, struct tuple); } tuples SEC(".maps");

const volatile __u32 flow_count = 1;
__u32 position;

static __always_inline int prepare(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + sizeof(struct ethhdr);
	__be16 *ports = (void *)(ip + 1);
	__u32 at = position;
	struct tuple *t = bpf_map_lookup_elem(&tuples, &at);

	position = at + 1 < flow_count ? at + 1 : 0;
	if (!t || (void *)(ports + 2) > end)
		return 0;
	ip->saddr = t->source;
	ip->daddr = t->destination;
	ports[0] = t->source_port;
	ports[1] = t->destination_port;
	return 1;
}

SEC("xdp")
int fill(struct xdp_md *ctx)
{
	return prepare(ctx) ? XDP_PASS : XDP_ABORTED;
}

SEC("xdp")
int balance(struct xdp_md *ctx)
{
	return prepare(ctx) ? svc_lb(ctx) : XDP_ABORTED;
}
