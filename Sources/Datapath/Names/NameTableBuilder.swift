internal import Tables
package import Wire

/// Gathers names and records for a `NameTable`.
///
/// Names are made from the top: the number of a name is what names below it and records are added to. The same calls in
/// the same order give the same table.
package struct NameTableBuilder: ~Copyable {
    /// The number of a name.
    package typealias Name = UInt32

    /// What a record says; its type goes with it.
    package enum Content {
        /// A
        case address(IPv4Address)
        /// CNAME
        case alias(Name)
        /// PTR
        case pointer(Name)
        /// SRV; priority and weight are made up when it is sent.
        case service(port: UInt16, target: Name)
        /// TXT
        case text(DNSLabel)
    }

    var nodes: [NameTable.Node]
    var records: [(node: UInt32, record: NameTable.Record)] = []
    var labels: [UInt64] = []
    var slots: [UInt32]
    let hash: SeededHash
    var mailbox: UInt32 = 0

    /// The root of all names.
    package static var root: Name { 0 }

    /// A builder without names; the hash of the table is seeded.
    package init(seed: UInt64) {
        hash = SeededHash(seed: seed)
        nodes = [.init(parent: 0, label: 0, firstRecord: 0, recordCount: 0, length: 1, marks: [])]
        slots = [UInt32](repeating: 0, count: 16)
    }

    /// The name that a label makes below another one, which then exists; nil when the label or the name is too long.
    package mutating func name(_ label: some StringProtocol, below parent: Name) -> Name? {
        guard let label = DNSLabel(label), let node = node(label, below: parent) else { return nil }
        var current = node
        // Whatever has names below it exists.
        while current != 0, !nodes[Int(current)].marks.contains(.exists) {
            nodes[Int(current)].marks.insert(.exists)
            current = nodes[Int(current)].parent
        }
        return node
    }

    /// A name in the dotted form, which is only mentioned and need not exist; nil when it is none.
    package mutating func mention(_ text: some StringProtocol, below parent: Name = root) -> Name? {
        var current = parent
        for part in text.split(separator: ".", omittingEmptySubsequences: false).reversed() {
            guard let label = DNSLabel(part), let next = node(label, below: current) else { return nil }
            current = next
        }
        return current
    }

    /// A name in the dotted form, which then exists; nil when it is none.
    package mutating func path(_ text: some StringProtocol, below parent: Name = root) -> Name? {
        var current = parent
        for part in text.split(separator: ".", omittingEmptySubsequences: false).reversed() {
            guard let next = name(part, below: current) else { return nil }
            current = next
        }
        return current
    }

    /// Adds a record to a name.
    package mutating func add(_ content: Content, to name: Name) {
        let record =
            switch content {
            case .address(let address): NameTable.Record(type: .address, port: 0, value: address.bits)
            case .alias(let target): NameTable.Record(type: .alias, port: 0, value: target)
            case .pointer(let target): NameTable.Record(type: .pointer, port: 0, value: target)
            case .service(let port, let target): NameTable.Record(type: .service, port: port, value: target)
            case .text(let text): NameTable.Record(type: .text, port: 0, value: append(text))
            }
        records.append((node: name, record: record))
    }

    /// Makes a name the top of a zone with a server and the mailbox of who is in charge; of all zones the last
    /// mailbox counts.
    package mutating func makeZone(_ name: Name, server: Name, mailbox: Name) {
        guard !nodes[Int(name)].marks.contains(.zone) else { return }
        nodes[Int(name)].marks.insert(.zone)
        self.mailbox = mailbox
        records.append((node: name, record: .init(type: .startOfAuthority, port: 0, value: server)))
        records.append((node: name, record: .init(type: .nameServer, port: 0, value: server)))
    }

    /// Gives every dashed address below a name that address.
    package mutating func servePods(below name: Name) { nodes[Int(name)].marks.insert(.pods) }

    /// The table.
    package consuming func finish() -> NameTable { NameTable(self) }

    private mutating func append(_ label: DNSLabel) -> UInt32 {
        let place = labels.count
        for number in 0..<label.wordCount { labels.append(label.word(number)) }
        return UInt32(place)
    }

    private mutating func node(_ label: DNSLabel, below parent: UInt32) -> UInt32? {
        let mask = slots.count - 1
        var place = Int(truncatingIfNeeded: NameTable.hash(label, below: parent, hash)) & mask
        while slots[place] != 0 {
            let number = slots[place]
            if nodes[Int(number)].parent == parent, isLabel(label, at: Int(nodes[Int(number)].label)) { return number }
            place = (place + 1) & mask
        }
        let length = Int(nodes[Int(parent)].length) + label.count + 1
        guard length <= DNSName.maximumLength else { return nil }
        let number = UInt32(nodes.count)
        nodes.append(
            .init(
                parent: parent,
                label: append(label),
                firstRecord: 0,
                recordCount: 0,
                length: UInt8(length),
                marks: []
            )
        )
        slots[place] = number
        if nodes.count * 2 > slots.count { grow() }
        return number
    }

    private func isLabel(_ label: DNSLabel, at place: Int) -> Bool {
        for number in 0..<label.wordCount where labels[place + number] != label.word(number) { return false }
        return true
    }

    private mutating func grow() {
        slots = [UInt32](repeating: 0, count: slots.count * 2)
        let mask = slots.count - 1
        for number in 1..<nodes.count {
            let start = Int(nodes[number].label)
            let label = DNSLabel(first: labels[start]) { [labels] in labels[start + $0] }
            var place = Int(truncatingIfNeeded: NameTable.hash(label, below: nodes[number].parent, hash)) & mask
            while slots[place] != 0 { place = (place + 1) & mask }
            slots[place] = UInt32(number)
        }
    }
}
