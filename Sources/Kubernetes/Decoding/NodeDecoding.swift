import Wire

/// Decodes Nodes.
///
/// Their unknown fields are not warned of: Nodes hold much that Culvert has no use for.
enum NodeDecoding {
    static func node(_ fields: Fields) -> Node? {
        guard let metadata = fields.metadata(kind: Node.kind, name: .subdomain, isNamespaced: false) else { return nil }
        let decoder = fields.decoder
        var node = Node(metadata: metadata, origin: decoder.origin)
        fields.mapping(.spec, known: []) { spec in
            node.podCIDRs = spec.strings(.podCIDRs) { _, text in block(text, decoder) }
            if node.podCIDRs.count > 1 {
                decoder.at(.podCIDRs) { decoder.fault("has more than one IPv4 block") }
            }
            if !spec.has(.podCIDRs), let text = spec.text(.podCIDR) {
                decoder.at(.podCIDR) { node.podCIDRs = [block(text, decoder)].compactMap(\.self) }
            }
        }
        fields.mapping(.status, known: []) { status in
            node.addresses = status.mappings(.addresses, known: []) { _, entry in
                guard let type = entry.text(.type), let value = entry.text(.address) else { return nil }
                if type == "InternalIP" || type == "ExternalIP", case .invalid(let reason) = AddressForm(value) {
                    decoder.at(.address) { decoder.fault(Quoting.quoted(value), reason) }
                    return nil
                }
                return NodeAddress(type: type, value: value)
            }
        }
        return node
    }

    /// An IPv4 block; IPv6 ones are the other half of a dual-stack node, and passed over without a word.
    private static func block(_ text: String, _ decoder: ObjectDecoder) -> IPv4Prefix? {
        text.utf8.contains(UInt8(ascii: ":")) ? nil : decoder.block(text)
    }
}
