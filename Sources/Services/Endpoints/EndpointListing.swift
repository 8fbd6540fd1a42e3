package import Kubernetes
internal import Wire

/// The endpoints of the ports of Services, in use or not, for those who list them.
package struct EndpointListing {
    private let sources: EndpointSources

    /// The endpoints that a set has, as a node sees them.
    package init(_ set: ManifestSet, node: NodeSettings) { sources = EndpointSources(set, node: node) }

    /// The endpoints of a port of a Service, in the order of address and port.
    package func records(of service: Service, port: ServicePort) -> [EndpointRecord] {
        sources.records(of: service, port: port)
    }
}
