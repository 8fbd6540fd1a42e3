/// Builds the tree of one document from a reader's events, and stops at the first that exceeds a limit.
///
/// The readers call `beginMapping`, `beginList`, `end`, `scalar`, `key` and `alias` in document order. There is no recursion:
/// what is open is a stack whose height is limited.
struct TreeBuilder {
    /// A mapping or list that has begun.
    private struct Frame {
        var node: UInt32
        var isMapping: Bool
        /// The last child so far, 0 for none.
        var last: UInt32 = 0
        var anchor: String?
        /// What had been counted before this node.
        var before: Extent
        /// Where the symbols of this mapping begin on `keyStack`.
        var keys: Int
        /// The same symbols as a set, once they are many.
        var keySet: Set<UInt32> = []
        var hasMerge = false
    }

    /// An amount of content with aliases expanded.
    private struct Extent {
        var nodes = 0
        var bytes = 0
    }

    private struct Anchored {
        var node: UInt32
        var extent: Extent
    }

    private let limits: ReadingLimits
    private(set) var tree = Tree()
    private var frames: [Frame] = []
    private var keyStack: [UInt32] = []
    private var anchors: [String: Anchored] = [:]
    private var expanded = Extent()
    private var aliased = Extent()

    /// A builder that numbers keys with `symbols`, and leaves that empty: a shared table would be copied.
    init(limits: ReadingLimits, taking symbols: inout SymbolTable) {
        self.limits = limits
        swap(&tree.symbols, &symbols)
    }

    /// Whether the next event in the open mapping is a key.
    var expectsKey: Bool {
        guard let frame = frames.last, frame.isMapping else { return false }
        return frame.last == 0 || tree.nodes[Int(frame.last)].kind != .key
    }

    /// Whether everything begun has ended.
    var isComplete: Bool { frames.isEmpty && !tree.nodes.isEmpty }
    var depth: Int { frames.count }
    var isInMapping: Bool { frames.last?.isMapping ?? false }

    mutating func beginMapping(anchor: String? = nil) throws(SyntaxFault) { try begin(.mapping, anchor) }
    mutating func beginList(anchor: String? = nil) throws(SyntaxFault) { try begin(.list, anchor) }

    private mutating func begin(_ kind: TreeNode.Kind, _ anchor: String?) throws(SyntaxFault) {
        if frames.count >= limits.depth { throw limit("nested deeper than \(limits.depth) levels") }
        let before = expanded
        let node = try append(TreeNode(kind: kind))
        if let anchor { anchors[anchor] = nil }
        frames.append(
            Frame(node: node, isMapping: kind == .mapping, anchor: anchor, before: before, keys: keyStack.count)
        )
    }

    mutating func end() throws(SyntaxFault) {
        guard let frame = frames.popLast() else { return }
        if frame.hasMerge {
            var last = frame.last
            for node in try mergeEntries(of: frame.node, present: keyStack[frame.keys...]) {
                last = try link(node, after: last, in: frame.node)
            }
        }
        keyStack.removeSubrange(frame.keys...)
        if let anchor = frame.anchor {
            let extent = Extent(nodes: expanded.nodes - frame.before.nodes, bytes: expanded.bytes - frame.before.bytes)
            anchors[anchor] = Anchored(node: frame.node, extent: extent)
        }
    }

    /// Adds a scalar; `write` appends its text to the array it is given.
    mutating func scalar(_ kind: TreeNode.Kind, anchor: String? = nil, write: (inout [UInt8]) -> Void)
        throws(SyntaxFault)
    {
        let start = tree.text.count
        write(&tree.text)
        let length = tree.text.count - start
        let node = try append(TreeNode(kind: kind, first: UInt32(start), count: UInt32(length)))
        expanded.bytes += length
        if let anchor { anchors[anchor] = Anchored(node: node, extent: Extent(nodes: 1, bytes: length)) }
    }

    /// Adds the key of the next value.
    ///
    /// A key that stands twice in its mapping is a fault.
    mutating func key(_ name: String) throws(SyntaxFault) {
        let symbol = tree.symbols.number(of: name)
        if symbol >= limits.keys { throw limit("the text has more than \(limits.keys) different keys") }
        let top = frames.count - 1
        if keyStack.count - frames[top].keys < 16 {
            if keyStack[frames[top].keys...].contains(symbol) { throw duplicate(name) }
        } else {
            if frames[top].keySet.isEmpty { frames[top].keySet = Set(keyStack[frames[top].keys...]) }
            if !frames[top].keySet.insert(symbol).inserted { throw duplicate(name) }
        }
        keyStack.append(symbol)
        _ = try append(TreeNode(kind: .key, first: symbol))
        expanded.bytes += name.utf8.count
        if symbol == FieldName.mergeKey.rawValue { frames[top].hasMerge = true }
    }

    mutating func alias(_ name: String) throws(SyntaxFault) {
        guard let target = anchors[name] else {
            let open = frames.contains { $0.anchor == name }
            let quoted = Quoting.quoted(name)
            throw limit(
                open ? "the alias \(quoted) stands inside its own anchor" : "the anchor \(quoted) is not defined"
            )
        }
        aliased.nodes += target.extent.nodes
        aliased.bytes += target.extent.bytes
        expanded.nodes += target.extent.nodes
        expanded.bytes += target.extent.bytes
        if aliased.nodes > limits.aliasedNodes {
            throw limit("aliases stand for more than \(limits.aliasedNodes) values")
        }
        if aliased.bytes > limits.aliasedBytes {
            throw limit("aliases stand for more than \(limits.aliasedBytes >> 20) MiB of text")
        }
        _ = try append(TreeNode(kind: .alias, first: target.node))
    }

    /// Adds a node, as the next child of what is open.
    private mutating func append(_ node: TreeNode) throws(SyntaxFault) -> UInt32 {
        if tree.nodes.count >= limits.nodes { throw limit("the document has more than \(limits.nodes) values") }
        let index = UInt32(tree.nodes.count)
        tree.nodes.append(node)
        expanded.nodes += 1
        guard let frame = frames.last else { return index }
        if frame.last == 0 {
            tree.nodes[Int(frame.node)].first = index
        } else {
            tree.nodes[Int(frame.last)].next = index
        }
        frames[frames.count - 1].last = index
        if node.kind != .key { tree.nodes[Int(frame.node)].count += 1 }
        return index
    }

    private func duplicate(_ name: String) -> SyntaxFault { limit("the key \(Quoting.quoted(name)) is duplicated") }

    private func limit(_ problem: String) -> SyntaxFault { SyntaxFault(isGrammatical: false, problem: problem) }
}

// Merge keys (`<<: *base`, YAML 1.1 type merge): kubectl reads them, so they are expanded here.
extension TreeBuilder {
    /// The keys and values that a mapping takes over from the values of its `<<`, those it has itself left out.
    private func mergeEntries(of mapping: UInt32, present: ArraySlice<UInt32>) throws(SyntaxFault) -> [TreeNode] {
        guard let value = tree.value(.mergeKey, in: NodeID(index: mapping)) else { return [] }
        let sources = tree.kind(value) == .list ? Array(tree.elements(value)) : [value]
        var seen = Set(present)
        var result: [TreeNode] = []
        for source in sources {
            guard tree.kind(source) == .mapping else {
                throw SyntaxFault(isGrammatical: false, problem: "a merge key (<<) needs a mapping or a list of them")
            }
            for key in tree.keys(source) where seen.insert(tree.symbol(key)).inserted {
                result.append(TreeNode(kind: .key, first: tree.symbol(key)))
                result.append(TreeNode(kind: .alias, first: tree.value(ofKey: key).index))
            }
        }
        return result
    }

    /// Adds a node to a mapping that has just ended, behind its last one.
    private mutating func link(_ node: TreeNode, after last: UInt32, in mapping: UInt32) throws(SyntaxFault) -> UInt32 {
        if tree.nodes.count >= limits.nodes { throw limit("the document has more than \(limits.nodes) values") }
        let index = UInt32(tree.nodes.count)
        tree.nodes[Int(last)].next = index
        tree.nodes.append(node)
        if node.kind != .key { tree.nodes[Int(mapping)].count += 1 }
        return index
    }
}
