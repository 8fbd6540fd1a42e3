// A Kubernetes-style Service load balancer at XDP: VIP -> backend DNAT, reverse SNAT, flow table.
// The peer of `tools/bench memory`: what a plain balancer in the kernel costs. IPv4 TCP/UDP.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_endian.h>

struct svc_key { __be32 vip; __be16 port; __u8 proto, pad; };
struct svc { __u32 id, backends; };
struct backend { __be32 addr; __be16 port; __u16 pad; };
struct flow { __be32 src, dst; __be16 sport, dport; __u32 proto; };
struct nat { __be32 addr; __be16 port; __u16 reverse; };
struct stats { __u64 packets, bytes; };

struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 1024); __type(key, struct svc_key); __type(value, struct svc); } services SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 65536); __type(key, __u32); __type(value, struct backend); } backends SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 65536); __type(key, struct flow); __type(value, struct nat); } flows SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 4); __type(key, __u32); __type(value, struct stats); } verdicts SEC(".maps");

const volatile __u32 hash_seed = 0x9e3779b9;   // .rodata, set before load
__u64 misses;                                   // .bss

static __always_inline __u32 mix(__u32 h) { h ^= h >> 16; h *= 0x85ebca6b; h ^= h >> 13; h *= 0xc2b2ae35; return h ^ h >> 16; }

static __always_inline void fix(__sum16 *c, __u32 from, __u32 to)
{
	__u32 s = (__u16)~*c + (~from & 0xffff) + (~from >> 16) + (to & 0xffff) + (to >> 16);
	s = (s & 0xffff) + (s >> 16);
	s = (s & 0xffff) + (s >> 16);
	*c = ~s;
}

static __noinline int count(__u32 verdict, __u32 len)
{
	struct stats *s = bpf_map_lookup_elem(&verdicts, &verdict);
	if (s) { s->packets++; s->bytes += len; }
	return verdict;
}

SEC("xdp")
int svc_lb(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 len = end - data;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	__be16 *ports = (void *)(ip + 1);
	__sum16 *l4c = 0;

	if ((void *)(ports + 2) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->frag_off & bpf_htons(0x3fff))
		return count(XDP_PASS, len);
	if (ip->protocol == IPPROTO_TCP) {
		struct tcphdr *t = (void *)ports;
		if ((void *)(t + 1) > end) return count(XDP_DROP, len);
		l4c = &t->check;
	} else if (ip->protocol == IPPROTO_UDP) {
		struct udphdr *u = (void *)ports;
		if ((void *)(u + 1) > end) return count(XDP_DROP, len);
		if (u->check) l4c = &u->check;
	} else
		return count(XDP_PASS, len);

	struct flow f = { ip->saddr, ip->daddr, ports[0], ports[1], ip->protocol };
	struct nat *hit = bpf_map_lookup_elem(&flows, &f), n = {};
	if (hit) {
		n = *hit;
	} else {
		struct svc_key k = { f.dst, f.dport, ip->protocol, 0 };
		struct svc *s = bpf_map_lookup_elem(&services, &k);
		if (!s) return count(XDP_PASS, len);
		if (!s->backends) return count(XDP_DROP, len);
		__u32 i = s->id * 64 + mix(f.src ^ hash_seed ^ mix(f.sport | f.dport << 16)) % s->backends;
		struct backend *b = bpf_map_lookup_elem(&backends, &i);
		if (!b || !b->addr) return count(XDP_DROP, len);
		struct flow r = { b->addr, f.src, b->port, f.sport, f.proto };
		struct nat rn = { f.dst, f.dport, 1 };
		n.addr = b->addr; n.port = b->port;
		bpf_map_update_elem(&flows, &f, &n, BPF_ANY);
		bpf_map_update_elem(&flows, &r, &rn, BPF_ANY);
		__sync_fetch_and_add(&misses, 1);
	}
	__be32 *a = n.reverse ? &ip->saddr : &ip->daddr;
	__be16 *p = n.reverse ? &ports[0] : &ports[1];
	if (l4c) { fix(l4c, *a, n.addr); fix(l4c, *p, n.port); }
	fix(&ip->check, *a, n.addr);
	*a = n.addr;
	*p = n.port;
	return count(XDP_TX, len);
}

char _license[] SEC("license") = "Dual MIT/GPL";
