internal import Tables
package import Wire

/// The interfaces of the datapath and the routes to them.
///
/// Live these are the TUNs of the configuration; a replay without any has three notional ones.
package final class InterfaceTable: Sendable {
    /// What an interface leads to.
    package enum Role: UInt8, Sendable, BitwiseCopyable {
        /// A pod, or a prefix of pods.
        case pod
        /// The network beyond: everything that is nowhere else.
        case uplink
        /// The node itself.
        case host
    }

    /// An interface as it was configured.
    package struct Interface: Sendable {
        /// The name in events, traces and lists.
        package var label: String
        /// What it leads to.
        package var role: Role
        /// What is sent to it.
        package var prefixes: [IPv4Prefix]
        /// The longest packet that it takes, in bytes.
        package var mtu: Int
        /// Whether a source outside of `prefixes` is refused.
        package var antiSpoof: Bool
        /// Whether the interface only stands for one in a replay, and does not exist.
        package var isNotional: Bool

        /// An interface; real, and open to every source, unless told otherwise.
        package init(
            label: String,
            role: Role,
            prefixes: [IPv4Prefix],
            mtu: Int = 1500,
            antiSpoof: Bool = false,
            isNotional: Bool = false
        ) {
            self.label = label
            self.role = role
            self.prefixes = prefixes
            self.mtu = mtu
            self.antiSpoof = antiSpoof
            self.isNotional = isNotional
        }
    }

    /// What a packet needs to know of an interface, in a flat array.
    struct Facts: BitwiseCopyable {
        var mtu: Int32
        var role: Role
        var antiSpoof: Bool
    }

    /// All interfaces; their numbers are their places here.
    package let interfaces: [Interface]
    let facts: FixedArray<Facts>
    let routes: PrefixTrie
    /// The number of the interface that the node's own traffic goes to, if there is one.
    package let host: UInt16?
    /// The same where it is a real one, which cannot take in the node's own addresses as sources.
    let liveHost: UInt16?
    /// Whether no interface is real: only then may the node's addresses be sources on any of them.
    package let isNotional: Bool

    /// At most 65,535 interfaces; of two with one prefix the later one gets it.
    package init(_ interfaces: [Interface]) {
        self.interfaces = interfaces
        var facts = FixedArray<Facts>(count: interfaces.count)
        var routes = PrefixTrie()
        for (number, interface) in interfaces.enumerated() {
            for prefix in interface.prefixes {
                routes.insert(prefix.address.bits, length: prefix.length, value: UInt32(number))
            }
            facts[number] = Facts(
                mtu: Int32(clamping: interface.mtu),
                role: interface.role,
                antiSpoof: interface.antiSpoof
            )
            if interface.role == .uplink { routes.insert(0, length: 0, value: UInt32(number)) }
        }
        self.facts = facts
        self.routes = routes
        host = interfaces.firstIndex { $0.role == .host }.map { UInt16(truncatingIfNeeded: $0) }
        liveHost = interfaces.firstIndex { $0.role == .host && !$0.isNotional }.map { UInt16(truncatingIfNeeded: $0) }
        isNotional = interfaces.allSatisfy(\.isNotional)
    }

    /// The interface that leads to an address, by the longest prefix.
    @inline(__always) package func egress(to address: IPv4Address) -> UInt16? {
        routes.lookup(address.bits).map { UInt16(truncatingIfNeeded: $0) }
    }

    /// The interfaces of a replay without any configured (DESIGN section 4).
    package static func notional(podCIDR: IPv4Prefix?, nodeAddresses: [IPv4Address]) -> InterfaceTable {
        var list: [Interface] = []
        if let podCIDR {
            list.append(Interface(label: "pods", role: .pod, prefixes: [podCIDR], isNotional: true))
        }
        let addresses = nodeAddresses.map { IPv4Prefix($0, length: 32) }
        list.append(Interface(label: "host", role: .host, prefixes: addresses, mtu: 65535, isNotional: true))
        list.append(Interface(label: "uplink", role: .uplink, prefixes: [], isNotional: true))
        return InterfaceTable(list)
    }
}
