// ns per packet of the pipeline in memory: no device, no trace, one core.
//
//     culvert-bench [--flows N] [--packets N] [--rounds N]
//
// Every batch of 64 frames is filled from templates (a copy of the packet, as a read() would be), goes through
// `Pipeline.process`, and is cleared. The cost of filling alone is measured in the same run and subtracted; both are
// printed. Minimum and median over the rounds.
import Datapath
import Glibc
import Tables
import Wire

struct Options {
    var flows = 1000
    var packets = 2_000_000
    var rounds = 15
    init(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        while let flag = rest.popFirst(), let value = rest.popFirst().flatMap({ Int($0) }), value > 0 {
            switch flag {
            case "--flows": flows = value
            case "--packets": packets = value
            case "--rounds": rounds = value
            default: break
            }
        }
    }
}

let options = Options(CommandLine.arguments)
let vip = IPv4Address(10, 96, 0, 10)
let backends = (1...10).map { Backend(address: IPv4Address(10, 244, 1, UInt8($0)), port: 8080, isLocal: true) }

func makePipeline(capacity: Int) -> Pipeline {
    var configuration = DatapathConfiguration()
    configuration.nodeAddresses = [IPv4Address(192, 0, 2, 10)]
    configuration.podCIDR = IPv4Prefix(IPv4Address(10, 244, 0, 0), length: 16)
    configuration.serviceCIDR = IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 16)
    configuration.conntrackCapacity = capacity
    configuration.halfOpenPerSource = capacity
    var rules = ServiceSpecification()
    rules.servicePorts = [.init(identifier: 1, name: "default/web:http", cluster: backends, local: [], hasAny: true)]
    rules.frontends = [.init(kind: .clusterIP, address: vip, port: 80, transport: .tcp, servicePort: 0)]
    rules.clusterIPs = [vip]
    return Pipeline(
        configuration,
        interfaces: .notional(podCIDR: configuration.podCIDR, nodeAddresses: configuration.nodeAddresses),
        services: ServiceTable(rules, seed: 1)
    )
}

/// The client of flow `number`.
func client(_ number: Int) -> (address: IPv4Address, port: UInt16) {
    let address = IPv4Address(bits: IPv4Address(10, 244, 2, 0).bits + UInt32(number / 50000 % 200 + 1))
    return (address, UInt16(1024 + number % 50000))
}

/// A segment that the client of flow `number` sends.
func segment(_ number: Int, _ flags: TCPFlags, sequence: UInt32, acknowledgment: UInt32 = 0, data: Int = 0) -> [UInt8] {
    let from = client(number)
    return PacketBuilder(from: from.address, to: vip).tcp(
        from.port,
        80,
        flags: flags,
        sequence: sequence,
        acknowledgment: acknowledgment,
        payload: [UInt8](repeating: 0, count: data)
    )
}

/// What the backend of flow `number` answers to its SYN.
func answer(_ number: Int, from backend: FlowEndpoint) -> [UInt8] {
    let to = client(number)
    return PacketBuilder(from: backend.address, to: to.address)
        .tcp(backend.port, to.port, flags: [.syn, .ack], sequence: 5000, acknowledgment: 101)
}

func nanoseconds() -> UInt64 {
    var time = timespec()
    unsafe clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

struct Templates: ~Copyable {
    var pool: FramePool
    let length: Int
    init(_ packets: [[UInt8]]) {
        length = packets[0].count
        pool = FramePool(count: packets.count, capacity: 128)
        for (number, packet) in packets.enumerated() {
            var frame = pool.frame(number, length: packet.count)
            for (offset, byte) in packet.enumerated() { frame.store8(byte, at: offset) }
        }
    }
}

@inline(never)
func fill(_ batch: inout Batch, _ templates: borrowing Templates, from first: inout Int) {
    batch.clear()
    var packet = Packet()
    packet.length = Int32(templates.length)
    packet.wireLength = packet.length
    packet.now = 1_000_000_000
    for _ in 0..<Batch.maximumCount {
        packet.number &+= 1
        let place = batch.append(packet)
        batch.frames.copy(from: templates.pool, first, 0..<templates.length, to: place, at: 0)
        first &+= 1
        if first == templates.pool.count { first = 0 }
    }
}

var pipeline = makePipeline(capacity: max(options.flows * 2, 4096))
var batch = Batch(frameCapacity: 2048)
let data = Templates((0..<options.flows).map { segment($0, .ack, sequence: 101, acknowledgment: 5001, data: 24) })
var next = 0

/// Sends every template once, and repeats the first ones to fill the last batch.
@MainActor func sendOnce(_ templates: borrowing Templates) {
    next = 0
    for _ in 0..<(options.flows + Batch.maximumCount - 1) / Batch.maximumCount {
        fill(&batch, templates, from: &next)
        pipeline.process(&batch)
    }
}

// Handshakes, so that the flows are established, and the data in their windows.
sendOnce(Templates((0..<options.flows).map { segment($0, .syn, sequence: 100) }))
precondition(pipeline.flows.count == options.flows)
// Flows are numbered in the order in which they were opened.
sendOnce(
    Templates(
        (0..<options.flows).map { answer($0, from: pipeline.flows.flows[UInt32($0 + 1)].backend) }
    )
)
sendOnce(Templates((0..<options.flows).map { segment($0, .ack, sequence: 101, acknowledgment: 5001) }))
precondition(pipeline.flows.flows[1].state == .established)

let batches = options.packets / Batch.maximumCount
var gross: [Double] = []
var filling: [Double] = []
for _ in 0..<options.rounds {
    next = 0
    var begin = nanoseconds()
    for _ in 0..<batches { fill(&batch, data, from: &next) }
    filling.append(Double(nanoseconds() - begin) / Double(batches * Batch.maximumCount))
    next = 0
    begin = nanoseconds()
    for _ in 0..<batches {
        fill(&batch, data, from: &next)
        pipeline.process(&batch)
    }
    gross.append(Double(nanoseconds() - begin) / Double(batches * Batch.maximumCount))
}
precondition(pipeline.counters[.forward] == pipeline.counters.received)

func shown(_ value: Double) -> String { "\((value * 10).rounded() / 10)" }
let net = zip(gross, filling).map { $0 - $1 }.sorted()
gross.sort()
filling.sort()
print("established ClusterIP, \(options.flows) flows, 64-byte TCP, batches of \(Batch.maximumCount)")
print("  process: min \(shown(net[0])) ns/packet, median \(shown(net[net.count / 2])) ns/packet")
print(
    "  with filling: min \(shown(gross[0])), median \(shown(gross[gross.count / 2])); filling alone min \(shown(filling[0]))"
)
