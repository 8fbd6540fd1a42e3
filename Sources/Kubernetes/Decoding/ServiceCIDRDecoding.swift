import Wire

/// Decodes ServiceCIDRs.
enum ServiceCIDRDecoding {
    static func serviceCIDR(_ fields: Fields) -> ServiceCIDR? {
        guard let metadata = fields.metadata(kind: ServiceCIDR.kind, name: .subdomain, isNamespaced: false) else {
            return nil
        }
        let decoder = fields.decoder
        var result = ServiceCIDR(metadata: metadata, origin: decoder.origin)
        fields.mapping(.spec, known: []) { spec in
            // The IPv6 block of a dual-stack cluster is passed over without a word.
            result.blocks = spec.strings(.cidrs) { _, text in
                text.utf8.contains(UInt8(ascii: ":")) ? nil : decoder.block(text)
            }
        }
        return result
    }
}
