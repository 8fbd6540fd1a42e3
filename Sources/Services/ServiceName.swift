package import Kubernetes

/// The namespace and name of a Service.
package struct ServiceName: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The namespace.
    package var namespace: String
    /// The name within it.
    package var name: String

    /// A name from its parts.
    package init(namespace: String, name: String) {
        self.namespace = namespace
        self.name = name
    }

    /// `default/web`.
    package var description: String { "\(namespace)/\(name)" }

    /// Orders by namespace, then by name.
    package static func < (left: Self, right: Self) -> Bool {
        left.namespace == right.namespace ? left.name < right.name : left.namespace < right.namespace
    }
}

extension Service {
    /// The namespace and name of the Service.
    package var serviceName: ServiceName { ServiceName(namespace: metadata.namespace, name: metadata.name) }
}
