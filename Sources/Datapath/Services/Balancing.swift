internal import Tables
internal import Wire

/// How the backend of a new flow is chosen from its endpoint set.
package enum BalancingAlgorithm: Hashable, Sendable {
    /// Each endpoint with the same chance, from the worker's generator.
    case random
    /// Each endpoint in its turn.
    case roundRobin
    /// By the flow's hash in a Maglev table of this size, Cilium's parameters: every node chooses the same.
    case maglev(tableSize: Int)

    /// What events and reports call it.
    package var word: String {
        switch self {
        case .random: "random"
        case .roundRobin: "round-robin"
        case .maglev: "maglev"
        }
    }
}

/// The hash of a flow for Maglev: Jenkins' hash of three words, over the fields and in the order of Cilium
/// (bpf/lib/hash.h `hash_from_tuple_v4`), which sees the fields as they lie in memory.
enum MaglevHash {
    /// The IPv4 half of Cilium's default seed: bytes four to seven.
    private static let seed: UInt32 = 0x71dc_da46

    static func hash(_ tuple: FlowTuple, _ transport: TransportProtocol) -> UInt32 {
        let ports = UInt32(tuple.destinationPort.byteSwapped) << 16 | UInt32(tuple.sourcePort.byteSwapped)
        return mix(tuple.source.bits.byteSwapped, ports, UInt32(transport.rawValue))
    }

    /// `jhash_3words` of include/linux/jhash.h.
    private static func mix(_ first: UInt32, _ second: UInt32, _ third: UInt32) -> UInt32 {
        let start = 0xdead_beef &+ 12 &+ seed
        var a = start &+ first
        var b = start &+ second
        var c = start &+ third
        c = (c ^ b) &- rotate(b, 14)
        a = (a ^ c) &- rotate(c, 11)
        b = (b ^ a) &- rotate(a, 25)
        c = (c ^ b) &- rotate(b, 16)
        a = (a ^ c) &- rotate(c, 4)
        b = (b ^ a) &- rotate(a, 14)
        c = (c ^ b) &- rotate(b, 24)
        return c
    }

    private static func rotate(_ value: UInt32, _ count: UInt32) -> UInt32 { value << count | value >> (32 - count) }
}

/// The Maglev tables of the endpoint sets of a service table.
///
/// A table depends on the endpoints alone, and takes a while to fill: service tables that follow on each other share those
/// whose endpoints have not changed.
struct MaglevTables: ~Copyable, Sendable {
    /// What a table is made of.
    struct Key: Hashable, Sendable {
        var backends: [Backend]
        var transport: TransportProtocol
    }

    private let tables: SharedTables
    /// What the tables are of.
    private let sets: [Key]
    /// The number of slots of each table.
    var size: Int { tables.size }
    /// The slots of all tables.
    var entryCount: Int { tables.tables.count * tables.size }

    /// With so many new tables or fewer, none of them is looked for elsewhere among the old ones: filling them is quicker.
    private static let few = 16

    /// Tables for sets of backends, in their order, with those of `previous` where there are any.
    init(_ sets: [Key], size: Int, reusing previous: borrowing MaglevTables) {
        let old = previous.size == size ? previous.tables.tables : []
        var built: [SharedTable?] = []
        built.reserveCapacity(sets.count)
        // Most sets are where they were, and in the same memory, so that to compare them is to compare two addresses.
        for number in sets.indices {
            built.append(number < old.count && previous.sets[number] == sets[number] ? old[number] : nil)
        }
        let missing = built.indices.filter { built[$0] == nil }
        var known: [Key: SharedTable] = [:]
        if missing.count > Self.few {
            for number in old.indices { known[previous.sets[number]] = old[number] }
        }
        for number in missing {
            let set = sets[number]
            let table = known[set] ?? SharedTable(Self.table(set.backends, set.transport, size: size))
            known[set] = table
            built[number] = table
        }
        tables = SharedTables(built.compactMap(\.self), size: size)
        self.sets = sets
    }

    /// No tables.
    init() {
        tables = SharedTables([], size: 0)
        sets = []
    }

    /// How many tables are the very ones of another service table.
    func sharedCount(with other: borrowing MaglevTables) -> Int {
        let known = Set(other.tables.tables.map(ObjectIdentifier.init))
        return tables.tables.count { known.contains(ObjectIdentifier($0)) }
    }

    /// One table: for each slot the index of a backend.
    static func table(_ backends: [Backend], _ transport: TransportProtocol, size: Int) -> [UInt16] {
        let name = transport == .udp ? "UDP" : "TCP"
        let members = backends.map { backend in
            MaglevTable.Member(key: Array("[\(backend.address):\(backend.port)/\(name),State:active]".utf8))
        }
        return MaglevTable.build(members, size: size)
    }

    /// The index of the backend for a flow's hash.
    func choice(table: UInt32, hash: UInt32) -> UInt32 {
        UInt32(tables[table, Int(hash) % size])
    }

    /// Asks for the line that a choice will read.
    func prefetch(table: UInt32, hash: UInt32) { tables.prefetch(table: table, place: Int(hash) % size) }
}

extension ServiceSpecification.ServicePort {
    /// The Maglev table over the endpoints of policy Cluster: for each slot the index of an endpoint.
    package func maglevTable(size: Int) -> [UInt16] { MaglevTables.table(cluster, transport, size: size) }
}
