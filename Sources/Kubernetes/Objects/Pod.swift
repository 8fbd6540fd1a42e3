package import Wire

/// A Pod (core/v1), as far as endpoints, host ports and names depend on it.
package struct Pod: ClusterObject {
    package static let kind = "Pod"

    package var metadata: Metadata
    package var origin: Origin?
    /// Nil while the pod is not scheduled.
    package var nodeName: String?
    package var hostNetwork = false
    package var hostname: String?
    package var subdomain: String?
    /// Ports of the containers, and of the init containers that keep running (`restartPolicy: Always`).
    package var ports: [ContainerPort] = []
    /// The first IPv4 address of `status.podIPs`, or else `status.podIP`.
    package var podIP: IPv4Address?
    package var phase: PodPhase?
    /// The condition `Ready`; nil where there is none.
    package var ready: Bool?

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
    package var name = ""
    package var transport = TransportProtocol.tcp
    package var containerPort: UInt16
    package var hostPort: UInt16?
    /// The node address that `hostPort` is limited to; nil is all of them.
    package var hostIP: IPv4Address?

    package init(containerPort: UInt16) { self.containerPort = containerPort }
}
