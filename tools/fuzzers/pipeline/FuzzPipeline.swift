// libFuzzer: packets through the pipeline, with state.
//
// The input is a sequence of packets, each behind two bytes of length (little-endian) and one of time (in tenths of a
// second), as they would come from a capture. After each batch the flow accounting must hold, and nothing that leaves may
// be longer than its buffer or have a bad IPv4 header checksum.
import Datapath
import Tables
import Wire

/// The world of the fuzzer: two Services with every kind of frontend, pods, a node.
private func makePipeline() -> Pipeline {
    var configuration = DatapathConfiguration()
    configuration.nodeAddresses = [IPv4Address(192, 0, 2, 10)]
    configuration.podCIDR = IPv4Prefix(IPv4Address(10, 244, 0, 0), length: 16)
    configuration.serviceCIDR = IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 12)
    configuration.conntrackCapacity = 64
    configuration.verifiesChecksums = true
    configuration.takesIngressFromSource = true
    configuration.reconstructsReplies = true
    let backends = [10, 11].map { Backend(address: IPv4Address(10, 244, 1, $0), port: 8080, isLocal: true) }
    var rules = ServiceSpecification()
    rules.servicePorts = [
        .init(identifier: 1, name: "default/web:80", cluster: backends, local: [], hasAny: true),
        .init(identifier: 2, name: "default/empty:80", cluster: [], local: [], hasAny: false),
    ]
    let vip = IPv4Address(10, 96, 0, 10)
    rules.frontends = [
        .init(kind: .clusterIP, address: vip, port: 80, transport: .tcp, servicePort: 0),
        .init(kind: .clusterIP, address: vip, port: 80, transport: .udp, servicePort: 0),
        .init(kind: .clusterIP, address: IPv4Address(10, 96, 0, 30), port: 80, transport: .tcp, servicePort: 1),
        .init(kind: .loadBalancer, address: IPv4Address(203, 0, 113, 10), port: 80, transport: .tcp, servicePort: 0),
        .init(kind: .nodePort, address: IPv4Address(192, 0, 2, 10), port: 30080, transport: .tcp, servicePort: 0),
        .init(kind: .nodePort, address: IPv4Address(192, 0, 2, 10), port: 30080, transport: .udp, servicePort: 0),
    ]
    rules.clusterIPs = [vip, IPv4Address(10, 96, 0, 30)]
    rules.externalAddresses = [IPv4Address(203, 0, 113, 10)]
    return Pipeline(
        configuration,
        interfaces: .notional(podCIDR: configuration.podCIDR, nodeAddresses: configuration.nodeAddresses),
        services: ServiceTable(rules, seed: 1)
    )
}

/// What outlives an input: building it anew each time would be all that the fuzzer does.
private struct Bench: ~Copyable {
    var batch = Batch(frameCapacity: 65535, keepsPreimages: true)

    mutating func run(_ data: UnsafeBufferPointer<UInt8>) {
        var pipeline = makePipeline()
        var at = 0
        var now: UInt64 = 1_000_000_000
        var number: UInt64 = 0
        while data.count - at >= 3 {
            batch.clear()
            while batch.count < 8, data.count - at >= 3 {
                let wanted = unsafe Int(data[at]) | Int(data[at + 1]) << 8
                now += unsafe UInt64(data[at + 2]) * 100_000_000
                at += 3
                let length = min(wanted & 0x7fff, data.count - at)
                var frame = batch.frames.frame(batch.count, length: length)
                for offset in 0..<length { frame.store8(unsafe data[at + offset], at: offset) }
                at += length
                number += 1
                var packet = Packet()
                packet.number = number
                packet.now = now
                packet.time = now
                packet.length = Int32(length)
                packet.wireLength = Int32(length)
                if wanted & 0x8000 != 0 {
                    packet.marks.insert(.truncated)
                    packet.wireLength += 1000
                }
                packet.ingress = 2
                _ = batch.append(packet)
            }
            pipeline.process(&batch)
            check(&pipeline)
        }
    }

    private mutating func check(_ pipeline: inout Pipeline) {
        var ended = UInt64(pipeline.heldPackets)
        for verdict in Verdict.allCases where verdict != .hold && verdict != .undecided {
            ended += pipeline.counters[verdict]
        }
        precondition(ended == pipeline.counters.received, "packets are not accounted for")
        for index in 0..<batch.emissionCount {
            let emission = batch.emissions[index]
            let bytes = batch.bytes(of: emission)
            let length = bytes.byteCount
            precondition(length >= 20)
            let header = Int(bytes.load8(0) & 15) * 4
            precondition(header <= length)
            let sum = Checksum.sum(bytes.bytes, 0..<header)
            precondition(sum == 0xffff, "a bad header checksum leaves")
        }
    }
}

nonisolated(unsafe) private var bench = Bench()

/// libFuzzer's entry: any sequence of packets may come.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzPipeline(_ data: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    unsafe bench.run(UnsafeBufferPointer(start: data, count: count))
    return 0
}
