import Datapath
import Testing
import Wire

@Suite("The ports that flows may be given")
struct UsablePortTests {
    private static let ranges: [ClosedRange<UInt16>] = [
        30000...32767, 1...65535, 1...1023, 1024...1024, 1088...1151, 1087...1152, 65535...65535, 1000...65534,
        64000...65535, 2048...2048,
    ]

    @Test("they are those from 1024 on without NodePorts and host ports, in their order", arguments: ranges)
    func agreesWithPlainFilter(nodePorts: ClosedRange<UInt16>) {
        for hostPorts: [UInt16] in [[], [80, 1024, 8443, 65535], (1024..<1216).map { $0 }] {
            var rules = ServiceSpecification()
            rules.hostPorts = hostPorts
            let usable = UsablePorts(nodePorts: nodePorts, services: ServiceTable(rules, seed: 1))
            let expected = (1024...UInt16.max).filter { !nodePorts.contains($0) && !hostPorts.contains($0) }
            let count = usable.count
            #expect(count == UInt32(expected.count))
            var isSame = true
            for (number, port) in expected.enumerated() where usable[UInt32(number)] != port { isSame = false }
            for port in UInt16.min...UInt16.max where usable.contains(port) != Self.has(expected, port) {
                isSame = false
            }
            #expect(isSame)
            let beyond = usable[count]
            #expect(beyond == 0)
        }
    }

    private static func has(_ ports: [UInt16], _ port: UInt16) -> Bool {
        var range = ports[...]
        while let middle = range.indices.isEmpty ? nil : (range.startIndex + range.endIndex) / 2 {
            if range[middle] == port { return true }
            range = range[middle] < port ? range[(middle + 1)...] : range[..<middle]
        }
        return false
    }
}
