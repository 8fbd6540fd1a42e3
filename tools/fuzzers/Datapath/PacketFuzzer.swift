import Datapath
import FuzzSupport
import Tables
import Wire

/// Packets through the pipeline, with state.
///
/// The input is a sequence of packets, each behind two bytes of length (little-endian; the top bit marks one that a capture
/// has cut) and one of time (in tenths of a second). After each batch the books must balance, and what leaves must be a
/// packet with a right header checksum.
enum PacketFuzzer {
    // Safe: libFuzzer has one thread. What does not change, and the buffers, outlive an input.
    nonisolated(unsafe) private static var batch = Batch(frameCapacity: 65535, keepsPreimages: true)
    private static let configuration = makeConfiguration()
    private static let services = makeServices()
    private static let interfaces = InterfaceTable.notional(
        podCIDR: configuration.podCIDR,
        nodeAddresses: configuration.nodeAddresses
    )

    /// The world of the fuzzer: two Services with every kind of frontend, pods, a node.
    private static func makeConfiguration() -> DatapathConfiguration {
        var configuration = DatapathConfiguration()
        configuration.nodeAddresses = [IPv4Address(192, 0, 2, 10)]
        configuration.podCIDR = IPv4Prefix(IPv4Address(10, 244, 0, 0), length: 16)
        configuration.serviceCIDR = IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 12)
        configuration.conntrackCapacity = 64
        configuration.fragmentCapacity = 32
        configuration.verifiesChecksums = true
        configuration.takesIngressFromSource = true
        configuration.reconstructsReplies = true
        return configuration
    }

    private static func makeServices() -> ServiceTable {
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
            .init(
                kind: .loadBalancer,
                address: IPv4Address(203, 0, 113, 10),
                port: 80,
                transport: .tcp,
                servicePort: 0
            ),
            .init(kind: .nodePort, address: IPv4Address(192, 0, 2, 10), port: 30080, transport: .tcp, servicePort: 0),
            .init(kind: .nodePort, address: IPv4Address(192, 0, 2, 10), port: 30080, transport: .udp, servicePort: 0),
        ]
        rules.clusterIPs = [vip, IPv4Address(10, 96, 0, 30)]
        rules.externalAddresses = [IPv4Address(203, 0, 113, 10)]
        return ServiceTable(rules, seed: 1)
    }

    /// An empty pipeline of this world.
    static func makePipeline() -> Pipeline {
        Pipeline(configuration, interfaces: interfaces, services: services)
    }

    static func run(_ bytes: [UInt8]) {
        var input = FuzzInput(bytes)
        var pipeline = makePipeline()
        var now: UInt64 = 1_000_000_000
        var number: UInt64 = 0
        while input.left >= 3 {
            unsafe batch.clear()
            while unsafe batch.count < 8, input.left >= 3 {
                let wanted = input.word()
                now += UInt64(input.byte()) * 100_000_000
                number += 1
                append(input.take(wanted & 0x7fff), number, now: now, isCut: wanted & 0x8000 != 0)
            }
            unsafe pipeline.process(&batch)
            check(&pipeline)
        }
    }

    private static func append(_ bytes: ArraySlice<UInt8>, _ number: UInt64, now: UInt64, isCut: Bool) {
        var packet = Packet()
        packet.number = number
        packet.now = now
        packet.time = now
        packet.length = Int32(bytes.count)
        packet.wireLength = Int32(bytes.count)
        if isCut {
            packet.marks.insert(.truncated)
            packet.wireLength += 1000
        }
        packet.ingress = 2
        let place = unsafe batch.append(packet)
        var frame = unsafe batch.frames.frame(place, length: bytes.count)
        for (offset, byte) in bytes.enumerated() { frame.store8(byte, at: offset) }
    }

    /// Every packet has an end, or is held.
    static func checkAccounts(_ pipeline: inout Pipeline) {
        var ended = UInt64(pipeline.heldPackets)
        for verdict in Verdict.allCases where verdict != .hold && verdict != .undecided {
            ended += pipeline.counters[verdict]
        }
        precondition(ended == pipeline.counters.received, "packets are not accounted for")
    }

    private static func check(_ pipeline: inout Pipeline) {
        checkAccounts(&pipeline)
        for index in unsafe 0..<batch.emissionCount {
            let emission = unsafe batch.emissions[index]
            let bytes = unsafe batch.bytes(of: emission)
            let length = bytes.byteCount
            precondition(length >= 20, "something leaves that is no packet")
            let header = Int(bytes.load8(0) & 15) * 4
            precondition(header <= length, "a header leaves that is longer than its packet")
            let sum = Checksum.sum(bytes.bytes, 0..<header)
            precondition(sum == 0xffff, "a bad header checksum leaves")
        }
    }
}
