/// The kinds of objects: which are used, in which versions, and which words are likely meant to be one of them.
enum Kinds {
    enum Used: String, CaseIterable {
        case service = "Service"
        case endpointSlice = "EndpointSlice"
        case endpoints = "Endpoints"
        case node = "Node"
        case pod = "Pod"
        case serviceCIDR = "ServiceCIDR"

        /// The fields of the object itself, for kinds whose unknown fields are warned of.
        var known: [FieldName]? {
            switch self {
            case .service: ServiceDecoding.objectFields
            case .endpointSlice: EndpointSliceDecoding.objectFields
            case .endpoints: EndpointsDecoding.objectFields
            case .node, .pod, .serviceCIDR: nil
            }
        }

        var group: String {
            switch self {
            case .endpointSlice: "discovery.k8s.io"
            case .serviceCIDR: "networking.k8s.io"
            case .service, .endpoints, .node, .pod: ""
            }
        }

        var apiVersion: String { group.isEmpty ? "v1" : "\(group)/v1" }
    }

    enum Use {
        case used(Used)
        case unused(String)
        /// The decoder has a fault of it.
        case refused
    }

    /// Whether an object is a list of others: `List`, or the list of a kind, as raw API answers are.
    static func isList(_ kind: String) -> Bool { kind.hasSuffix("List") }

    /// What is to be done with an object.
    static func use(of kind: String, _ apiVersion: String, _ decoder: ObjectDecoder) -> Use {
        let parts = apiVersion.split(separator: "/", omittingEmptySubsequences: false)
        let group = parts.count == 2 ? String(parts[0]) : ""
        let isBuiltIn = !group.contains(".") || group.hasSuffix(".k8s.io")
        guard let used = Used(rawValue: kind) else {
            let words = Used.allCases.filter { $0.group == group }.map(\.rawValue) + (group.isEmpty ? ["List"] : [])
            guard let meant = Suggestion.nearest(to: kind, in: words) else {
                return .unused(Quoting.bare(group.isEmpty ? kind : "\(kind).\(group)"))
            }
            decoder.at(.kind) { decoder.fault(Quoting.quoted(kind), "is not a known kind; did you mean \(meant)?") }
            return .refused
        }
        if apiVersion == used.apiVersion { return .used(used) }
        if group == used.group, used == .endpointSlice, ["v1beta1", "v1alpha1"].contains(parts.last) {
            decoder.at(.apiVersion) {
                decoder.warn(
                    Quoting.quoted(apiVersion),
                    "is no longer served by Kubernetes; it is \(used.apiVersion) now"
                )
            }
            return .used(used)
        }
        // Served beside v1 (KEP-1880).
        if used == .serviceCIDR, group == used.group, parts.last == "v1beta1" { return .used(used) }
        // Others may have a kind of the same name: Service of serving.knative.dev.
        if !isBuiltIn { return .unused(Quoting.bare("\(kind).\(group)")) }
        decoder.at(.apiVersion) {
            decoder.fault(Quoting.quoted(apiVersion), "is not \(used.apiVersion), the version of \(kind)")
        }
        return .refused
    }
}
