import Datapath
import Wire

/// ns per packet of new masqueraded flows to one backend, all from clients with one source port, so that each needs a
/// search.
///
/// Measured while half of the ports are in use, when 99.9 % are, and when it has nothing left.
func measurePorts() {
    let node = IPv4Address(192, 0, 2, 10)
    var configuration = DatapathConfiguration()
    configuration.nodeAddresses = [node]
    configuration.podCIDR = IPv4Prefix(IPv4Address(10, 244, 0, 0), length: 16)
    var rules = ServiceSpecification()
    let backend = Backend(address: IPv4Address(10, 244, 1, 1), port: 53, isLocal: true)
    rules.servicePorts = [
        .init(identifier: 1, name: "default/dns:dns", cluster: [backend], local: [], hasAny: true, transport: .udp)
    ]
    rules.frontends = [.init(kind: .nodePort, address: node, port: 30053, transport: .udp, servicePort: 0)]
    var pipeline = Pipeline(
        configuration,
        interfaces: .notional(podCIDR: configuration.podCIDR, nodeAddresses: configuration.nodeAddresses),
        services: ServiceTable(rules, seed: 1)
    )
    var batch = Batch(frameCapacity: 2048)
    var client = IPv4Address(203, 0, 0, 0).bits

    /// Sends the first packets of `count` flows, and returns the time that the pipeline took for each.
    func open(_ count: Int, _ pipeline: inout Pipeline, _ batch: inout Batch) -> Double {
        var spent: UInt64 = 0
        var left = count
        while left > 0 {
            batch.clear()
            for _ in 0..<min(left, Batch.maximumCount) {
                client += 1
                let bytes = PacketBuilder(from: IPv4Address(bits: client), to: node).udp(999, 30053, payload: [0])
                var packet = Packet()
                packet.length = Int32(bytes.count)
                packet.wireLength = packet.length
                packet.now = 1_000_000_000
                let place = batch.append(packet)
                var frame = batch.frames.frame(place, length: bytes.count)
                for (offset, byte) in bytes.enumerated() { frame.store8(byte, at: offset) }
                left -= 1
            }
            let begin = nanoseconds()
            pipeline.process(&batch)
            spent += nanoseconds() - begin
        }
        return Double(spent) / Double(count)
    }

    let ports = 61744
    let few = ports / 1000
    _ = open(ports / 2, &pipeline, &batch)
    let half = open(few, &pipeline, &batch)
    _ = open(ports - ports / 2 - few - few, &pipeline, &batch)
    let full = open(few, &pipeline, &batch)
    let exhausted = open(10000, &pipeline, &batch)
    precondition(pipeline.counters[.snatPortsExhausted] == 10000 && pipeline.flows.count == ports)
    print("{\"half\":\(half),\"nearly\":\(full),\"exhausted\":\(exhausted)}")
}
