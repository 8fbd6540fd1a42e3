/// The place of a node in its tree.
struct NodeID: Hashable {
    var index: UInt32
}

/// A node of a document: a scalar, a mapping, a list, a key, or an alias.
///
/// 16 bytes, so that large dumps stay small.
struct TreeNode {
    enum Kind: UInt8 {
        /// A scalar without quotes, whose type depends on its text; JSON's numbers, booleans and null too.
        case plain
        /// A scalar that is a string whatever it looks like.
        case text
        /// A scalar with a tag that is not read (`!!binary`, local tags).
        case tagged
        /// Children alternate: key, value.
        case mapping
        case list
        case key
        /// Stands for the node `first`.
        case alias
    }

    var kind: Kind
    /// Scalars: the offset of the text.
    ///
    /// Mappings and lists: the first child. Keys: the symbol. Aliases: the target.
    var first: UInt32 = 0
    /// Scalars: the length of the text.
    ///
    /// Mappings and lists: how many entries.
    var count: UInt32 = 0
    /// The next child of the same parent; 0 is none (node 0 is the root, nobody's sibling).
    var next: UInt32 = 0
}

/// One document, immutable, in two flat arrays.
///
/// Aliases share their target, so a tree is never larger than its text; what they stand for was held against the
/// limits while reading. Nothing here recurses.
struct Tree {
    var nodes: [TreeNode] = []
    var text: [UInt8] = []
    var symbols = SymbolTable()

    /// The root, or nil for an empty document.
    var root: NodeID? { nodes.isEmpty ? nil : resolve(NodeID(index: 0)) }

    /// The node itself, or what it stands for if it is an alias.
    ///
    /// Aliases never point at aliases.
    func resolve(_ id: NodeID) -> NodeID {
        let node = nodes[Int(id.index)]
        return node.kind == .alias ? NodeID(index: node.first) : id
    }

    func kind(_ id: NodeID) -> TreeNode.Kind { nodes[Int(id.index)].kind }
    func count(_ id: NodeID) -> Int { Int(nodes[Int(id.index)].count) }

    /// The text of a scalar.
    func string(_ id: NodeID) -> String {
        let node = nodes[Int(id.index)]
        return String(decoding: text[Int(node.first)..<Int(node.first + node.count)], as: UTF8.self)
    }

    /// The entries of a list, aliases resolved.
    func elements(_ id: NodeID) -> Children {
        Children(tree: self, upcoming: nodes[Int(id.index)].first, onlyKeys: false)
    }

    /// The keys of a mapping, in order; `value(ofKey:)` finds what belongs to one.
    func keys(_ id: NodeID) -> Children { Children(tree: self, upcoming: nodes[Int(id.index)].first, onlyKeys: true) }

    func value(ofKey key: NodeID) -> NodeID { resolve(NodeID(index: nodes[Int(key.index)].next)) }

    /// The symbol of a key.
    func symbol(_ key: NodeID) -> UInt32 { nodes[Int(key.index)].first }

    func keyText(_ key: NodeID) -> String { symbols.names[Int(symbol(key))] }

    /// The value of a field in a mapping.
    func value(_ field: FieldName, in mapping: NodeID) -> NodeID? {
        var next = nodes[Int(mapping.index)].first
        while next != 0 {
            let key = nodes[Int(next)]
            if key.first == field.rawValue { return resolve(NodeID(index: key.next)) }
            next = nodes[Int(key.next)].next
        }
        return nil
    }
}

/// The children of a node, one after the other.
struct Children: Sequence, IteratorProtocol {
    let tree: Tree
    /// The child that comes next, 0 for none.
    private(set) var upcoming: UInt32
    /// Whether every second child is left out: the children of a mapping are keys and values in turn.
    let onlyKeys: Bool

    mutating func next() -> NodeID? {
        guard upcoming != 0 else { return nil }
        let current = NodeID(index: upcoming)
        upcoming = tree.nodes[Int(upcoming)].next
        if onlyKeys { upcoming = tree.nodes[Int(upcoming)].next }
        return onlyKeys ? current : tree.resolve(current)
    }
}

/// The distinct keys of an input, numbered: `FieldName`s first, others as they come.
struct SymbolTable {
    private(set) var names: [String] = []
    private var numbers: [String: UInt32] = [:]

    /// The table that every input begins with.
    static let fieldNames: SymbolTable = {
        var table = SymbolTable()
        for field in FieldName.allCases { _ = table.number(of: field.text) }
        return table
    }()

    mutating func number(of name: String) -> UInt32 {
        if let known = numbers[name] { return known }
        let number = UInt32(names.count)
        names.append(name)
        numbers[name] = number
        return number
    }
}
