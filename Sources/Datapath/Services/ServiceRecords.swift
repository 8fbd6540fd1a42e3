internal import Wire

// What the flat arrays of a service table are made of.

extension ServiceTable {
    /// Where a set of endpoints lies in `backends`.
    struct EndpointSet: BitwiseCopyable {
        var first: UInt32
        var count: UInt32
        /// The number of its Maglev table, where there are any.
        var table: UInt32

        static let noTable = UInt32.max
    }

    /// A port of a Service.
    struct ServicePort: BitwiseCopyable {
        var identifier: UInt32
        var affinitySeconds: UInt32
        var cluster: EndpointSet
        var local: EndpointSet
        var hasAny: Bool
    }

    /// An address and port of a Service: one cache line, with a copy of what its ServicePort says.
    struct Frontend: BitwiseCopyable {
        /// Address, port and protocol, as `key` of the table makes it.
        var key: UInt64
        var port: ServicePort
        var servicePort: UInt32
        var firstRange: UInt32
        var rangeCount: UInt32
        var kind: FrontendKind
        var isLocalPolicy: Bool
    }

    /// What is known of an address by itself.
    struct AddressKind: OptionSet {
        var rawValue: UInt32
        static let clusterIP = AddressKind(rawValue: 1)
        static let external = AddressKind(rawValue: 2)
    }
}

/// The number of a frontend that a packet probably asks for, to be confirmed.
package struct FrontendHint: BitwiseCopyable {
    /// The number and one; 0 for none.
    private var bits: UInt32 = 0

    static let none = FrontendHint()

    /// The frontend with a number.
    package init(_ number: UInt32) { bits = number &+ 1 }
    private init() {}

    /// The number; nil for none.
    @inline(__always) var number: UInt32? { bits == 0 ? nil : bits &- 1 }
}
