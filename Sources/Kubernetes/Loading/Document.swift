/// One document: an object, a List of objects, or nothing.
struct Document {
    /// What a document turns out to hold, one at a time.
    enum Content {
        case service(Service)
        case endpointSlice(EndpointSlice)
        case endpoints(Endpoints)
        case node(Node)
        case pod(Pod)
        case serviceCIDR(ServiceCIDR)
        /// An object of a kind that is not used, as `ConfigMap` or `Deployment.apps`.
        case unused(String)
        case finding(ManifestFault)
    }

    /// What an item of a typed list inherits: `ServiceList` prints items without kind and apiVersion.
    private struct Header {
        var kind: String
        var apiVersion: String
    }

    let tree: Tree
    let origin: Origin
    let rules: ClusterRules

    /// Hands over all that the document holds; false if it is empty.
    func read(_ take: (Content) -> Void) -> Bool {
        guard let root = tree.root else { return false }
        let decoder = ObjectDecoder(tree: tree, origin: origin, rules: rules, checksFields: false)
        if decoder.isNull(root) { return false }
        object(root, origin, inherited: nil, take)
        return true
    }

    private func object(_ node: NodeID, _ origin: Origin, inherited: Header?, _ take: (Content) -> Void) {
        let header = ObjectDecoder(tree: tree, origin: origin, rules: rules, checksFields: false)
        defer { (header.faults + header.warnings).forEach { take(.finding($0)) } }
        guard tree.kind(node) == .mapping else { return header.fault(header.shown(node), "is not an object") }
        let fields = Fields(decoder: header, node: node)
        for field in [FieldName.kind, .apiVersion] where inherited == nil && !fields.has(field) {
            header.at(field) { header.fault("is missing") }
        }
        guard let kind = fields.text(.kind) ?? inherited?.kind,
            let apiVersion = fields.text(.apiVersion) ?? inherited?.apiVersion
        else { return }
        if Kinds.isList(kind), fields.has(.items) || kind == "List" {
            if origin.item != nil { return header.fault("a List inside a List is not possible") }
            let element = kind == "List" ? nil : Header(kind: String(kind.dropLast(4)), apiVersion: apiVersion)
            _ =
                fields.list(.items) { index, item in
                    let place = Origin(file: origin.file, document: origin.document, item: index)
                    object(item, place, inherited: element, take)
                } as [Void]
            return
        }
        switch Kinds.use(of: kind, apiVersion, header) {
        case .used(let used): decode(used, node, origin, take)
        case .unused(let name): take(.unused(name))
        case .refused: return
        }
    }

    private func decode(_ kind: Kinds.Used, _ node: NodeID, _ origin: Origin, _ take: (Content) -> Void) {
        let decoder = ObjectDecoder(tree: tree, origin: origin, rules: rules, checksFields: kind.known != nil)
        if let known = kind.known { decoder.checkFields(of: node, known: known) }
        let fields = Fields(decoder: decoder, node: node)
        let content: Content? =
            switch kind {
            case .service: ServiceDecoding.service(fields).map(Content.service)
            case .endpointSlice: EndpointSliceDecoding.slice(fields).map(Content.endpointSlice)
            case .endpoints: EndpointsDecoding.endpoints(fields).map(Content.endpoints)
            case .node: NodeDecoding.node(fields).map(Content.node)
            case .pod: PodDecoding.pod(fields).map(Content.pod)
            case .serviceCIDR: ServiceCIDRDecoding.serviceCIDR(fields).map(Content.serviceCIDR)
            }
        (decoder.faults + decoder.warnings).forEach { take(.finding($0)) }
        if let content, decoder.faults.isEmpty { take(content) }
    }
}
