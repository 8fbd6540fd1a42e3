internal import Tables
internal import Wire

/// The records of the cluster's DNS: an immutable snapshot that queries are answered from.
///
/// Theory of operation: a tree of labels with the root of DNS at number 0, laid out flat. A node is found by its parent
/// and its label, through one open hash table for all of them, so a name costs one probe for each of its labels, from the
/// last one on. The way down also shows what RFC 1034 section 4.3.2 asks: whether the name lies in a zone of ours,
/// whether it exists, and be it only because names below it do (RFC 8020). The records of a node lie side by side; those
/// that name other names hold the numbers of their nodes. Nothing in here changes after `init`, and nothing is allocated
/// for a query.
///
/// Names of pods, `10-244-0-5.default.pod.cluster.local`, are not in the table: below a node that is marked so, every
/// label that is a dotted address with dashes has that address.
package final class NameTable: Sendable {
    /// A name: the label that it adds to its parent.
    struct Node: BitwiseCopyable {
        var parent: UInt32
        /// Where the label stands in `labels`.
        var label: UInt32
        var firstRecord: UInt32
        var recordCount: UInt32
        /// The length of the whole name in bytes, as it is written in messages.
        var length: UInt8
        var marks: Marks
    }

    struct Marks: OptionSet, BitwiseCopyable {
        var rawValue: UInt8
        /// The name exists; others are only mentioned in records.
        static let exists = Marks(rawValue: 1 << 0)
        /// The top of a zone.
        static let zone = Marks(rawValue: 1 << 1)
        /// Dashed addresses below it are names.
        static let pods = Marks(rawValue: 1 << 2)
    }

    /// A record: its type, and what stands in it.
    struct Record: BitwiseCopyable {
        var type: DNSRecordType
        /// SRV: the port.
        var port: UInt16
        /// What the type asks for.
        ///
        /// A: the address. TXT: a place in `labels`. PTR, CNAME, SRV, NS, and SOA (its server): the number of a node.
        var value: UInt32
    }

    let nodes: FixedArray<Node>
    let records: FixedArray<Record>
    /// Labels, each as many words as `DNSLabel` says.
    let labels: FixedArray<UInt64>
    /// Numbers of nodes by their hash, 0 for an empty place; at most half full.
    private let slots: FixedArray<UInt32>
    private let hash: SeededHash
    /// The mailbox that SOA records name.
    let mailbox: UInt32

    /// A table without names, of which every query is refused.
    package static let empty = NameTable(NameTableBuilder(seed: 0))

    /// Lays out what a builder has gathered.
    init(_ builder: borrowing NameTableBuilder) {
        var nodes = FixedArray<Node>(count: builder.nodes.count)
        for (number, node) in builder.nodes.enumerated() { nodes[number] = node }
        // Records in the order of their nodes, those of one in the order in which they came.
        for entry in builder.records { nodes[entry.node].recordCount += 1 }
        var next: UInt32 = 0
        for number in 0..<nodes.count {
            nodes[number].firstRecord = next
            next += nodes[number].recordCount
            nodes[number].recordCount = 0
        }
        var records = FixedArray<Record>(count: builder.records.count)
        for entry in builder.records {
            records[nodes[entry.node].firstRecord + nodes[entry.node].recordCount] = entry.record
            nodes[entry.node].recordCount += 1
        }
        var labels = FixedArray<UInt64>(count: builder.labels.count)
        for (place, word) in builder.labels.enumerated() { labels[place] = word }
        var slots = FixedArray<UInt32>(count: builder.slots.count)
        for (place, number) in builder.slots.enumerated() { slots[place] = number }
        self.nodes = nodes
        self.records = records
        self.labels = labels
        self.slots = slots
        hash = builder.hash
        mailbox = builder.mailbox
    }

    /// How many names there are, those that only lie on the way to others included.
    package var nameCount: Int { nodes.count - 1 }
    /// How many records there are.
    package var recordCount: Int { records.count }
    /// The size in bytes.
    package var byteCount: Int { nodes.byteCount + records.byteCount + labels.byteCount + slots.byteCount }

    /// What a name is to the table.
    struct Match: BitwiseCopyable {
        /// The name itself, or the last one on the way to it.
        var node: UInt32
        /// The zone that it lies in; 0 for none of ours.
        var zone: UInt32
        /// Whether the name exists.
        var exists: Bool
        /// The address of a pod's name.
        var podAddress: UInt32?
    }

    /// The node of a label below a parent.
    func child(of parent: UInt32, _ label: DNSLabel) -> UInt32? {
        let mask = slots.count &- 1
        var place = Int(truncatingIfNeeded: Self.hash(label, below: parent, hash)) & mask
        while slots[place] != 0 {
            let number = slots[place]
            if nodes[number].parent == parent, isLabel(label, at: nodes[number].label) { return number }
            place = (place &+ 1) & mask
        }
        return nil
    }

    private func isLabel(_ label: DNSLabel, at place: UInt32) -> Bool {
        for number in 0..<label.wordCount where labels[Int(place) &+ number] != label.word(number) { return false }
        return true
    }

    /// A label as the table holds it.
    func label(at place: UInt32) -> DNSLabel {
        DNSLabel(first: labels[place]) { labels[Int(place) &+ $0] }
    }

    /// The hash by which a node is found.
    static func hash(_ label: DNSLabel, below parent: UInt32, _ hash: SeededHash) -> UInt64 {
        var mixed = UInt64(parent)
        for number in 0..<label.wordCount { mixed = hash(mixed, label.word(number)) }
        return mixed
    }
}

extension NameTable {
    /// Finds what a record mentions.
    func match(_ node: UInt32) -> Match {
        var zone: UInt32 = 0
        var current = node
        while current != 0 && zone == 0 {
            if nodes[current].marks.contains(.zone) { zone = current }
            current = nodes[current].parent
        }
        var match = Match(node: node, zone: zone, exists: nodes[node].marks.contains(.exists), podAddress: nil)
        let parent = nodes[nodes[node].parent]
        if !match.exists, parent.marks.contains(.pods) {
            match.podAddress = Self.podAddress(label(at: nodes[node].label))
            match.exists = match.podAddress != nil
        }
        return match
    }

    /// The address that a label like `10-244-0-5` stands for.
    static func podAddress(_ label: DNSLabel) -> UInt32? {
        var bits: UInt32 = 0
        var octet: UInt32 = 0
        var digits = 0
        var dashes = 0
        for place in 1..<label.count &+ 1 {
            let byte = label.byte(place)
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                // As in the dotted form: no leading zeros.
                if digits > 0 && octet == 0 { return nil }
                octet = octet &* 10 &+ UInt32(byte &- UInt8(ascii: "0"))
                digits &+= 1
                if octet > 255 { return nil }
            case UInt8(ascii: "-"):
                if digits == 0 || dashes == 3 { return nil }
                bits = bits << 8 | octet
                octet = 0
                digits = 0
                dashes &+= 1
            default:
                return nil
            }
        }
        return dashes == 3 && digits > 0 ? bits << 8 | octet : nil
    }
}
