package import Wire

/// A Pod (core/v1), as far as endpoints, host ports and names depend on it.
package struct Pod: ClusterObject {
    /// The word of the `kind` field.
    package static let kind = "Pod"

    /// Name, namespace and labels.
    package var metadata: Metadata
    /// Where the object was read; nil for one that a control loop made.
    package var origin: Origin?
    /// Nil while the pod is not scheduled.
    package var nodeName: String?
    /// Whether the pod has the node's addresses instead of its own.
    package var hostNetwork = false
    /// `spec.hostname`: with `subdomain`, the name that DNS gives the pod.
    package var hostname: String?
    /// `spec.subdomain`: the headless Service that the pod's name lies below.
    package var subdomain: String?
    /// Ports of the containers, and of the init containers that keep running (`restartPolicy: Always`).
    package var ports: [ContainerPort] = []
    /// The first IPv4 address of `status.podIPs`, or else `status.podIP`.
    package var podIP: IPv4Address?
    /// `status.phase`.
    package var phase: PodPhase?
    /// The condition `Ready`; nil where there is none.
    package var ready: Bool?

    /// An object with nothing but its name; the rest is filled in afterwards.
    package init(metadata: Metadata, origin: Origin? = nil) {
        self.metadata = metadata
        self.origin = origin
    }

    /// Whether the pod has ended, so that its address and its ports may belong to others.
    package var isFinished: Bool { phase == .succeeded || phase == .failed }
}

/// `status.phase` of a Pod.
package enum PodPhase: String, CaseIterable, Sendable {
    case pending = "Pending"
    case running = "Running"
    case succeeded = "Succeeded"
    case failed = "Failed"
    case unknown = "Unknown"
}

/// An entry of `ports` of a container.
package struct ContainerPort: Hashable, Sendable {
    /// Empty where the manifest gives none; `targetPort` of a Service may refer to it.
    package var name = ""
    /// `protocol`; `TCP` where the manifest has none.
    package var transport = TransportProtocol.tcp
    /// The port that the container listens on.
    package var containerPort: UInt16
    /// The port of the node that leads to the container; nil is none.
    package var hostPort: UInt16?
    /// The node address that `hostPort` is limited to; nil is all of them.
    package var hostIP: IPv4Address?

    /// A TCP port without a name.
    package init(containerPort: UInt16) { self.containerPort = containerPort }
}
