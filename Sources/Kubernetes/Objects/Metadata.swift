/// What every object carries in `metadata`, as far as a data path needs it.
package struct Metadata: Hashable, Sendable {
    /// Empty for objects outside namespaces (Node), `default` where a manifest names none.
    package var namespace: String
    /// The name, unique among the objects of its kind and namespace.
    package var name: String
    /// Labels, by key.
    package var labels: [String: String]
    /// Kept for Services and EndpointSlices only; those of other kinds are not read.
    package var annotations: [String: String]
    /// Whether `deletionTimestamp` is set: the object is on its way out.
    package var isDeleted: Bool

    /// Metadata with these values.
    package init(
        namespace: String = "default",
        name: String,
        labels: [String: String] = [:],
        annotations: [String: String] = [:],
        isDeleted: Bool = false
    ) {
        self.namespace = namespace
        self.name = name
        self.labels = labels
        self.annotations = annotations
        self.isDeleted = isDeleted
    }
}

/// The kind, namespace and name of an object: what it is called in messages, and what is unique in a set.
package struct ObjectReference: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The word of the `kind` field.
    package var kind: String
    /// Empty for objects outside namespaces.
    package var namespace: String
    /// The name, unique among the objects of its kind and namespace.
    package var name: String

    /// A reference with these values.
    package init(kind: String, namespace: String, name: String) {
        self.kind = kind
        self.namespace = namespace
        self.name = name
    }

    /// `Service default/web`, or `Node node-a` outside namespaces.
    package var description: String {
        let shown = Quoting.bare(name)
        return namespace.isEmpty ? "\(kind) \(shown)" : "\(kind) \(Quoting.bare(namespace))/\(shown)"
    }

    /// Orders by each part in turn.
    package static func < (left: Self, right: Self) -> Bool {
        (left.kind, left.namespace, left.name) < (right.kind, right.namespace, right.name)
    }
}

/// Where an object was read, for messages.
package struct Origin: Hashable, Comparable, Sendable, CustomStringConvertible {
    /// The file as it was named on the command line, or found below a directory; `-` is standard input.
    package var file: String
    /// Documents of a file count from 1, empty ones included.
    package var document: Int
    /// The place in the `items` of a List, from 0.
    package var item: Int?

    /// A place in a file.
    package init(file: String, document: Int, item: Int? = nil) {
        self.file = file
        self.document = document
        self.item = item
    }

    /// `web.yaml: document 2`, with `: items[3]` inside a List.
    package var description: String {
        let place = "\(Quoting.file(file)): document \(document)"
        return item.map { "\(place): items[\($0)]" } ?? place
    }

    /// Orders by each part in turn.
    package static func < (left: Self, right: Self) -> Bool {
        (left.file, left.document, left.item ?? -1) < (right.file, right.document, right.item ?? -1)
    }
}

/// An object of a cluster that a manifest describes.
package protocol ClusterObject: Hashable, Sendable {
    /// The word of the `kind` field.
    static var kind: String { get }
    var metadata: Metadata { get }
    /// Nil for objects that no manifest holds, made by a control loop.
    var origin: Origin? { get }
}

extension ClusterObject {
    /// What the object is called.
    package var reference: ObjectReference {
        ObjectReference(kind: Self.kind, namespace: metadata.namespace, name: metadata.name)
    }
}
