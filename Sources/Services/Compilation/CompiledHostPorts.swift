internal import Datapath
internal import Kubernetes
internal import Wire

/// What the host ports of the pods on this node compile to, as the CNI portmap plugin opens them.
struct CompiledHostPorts: Sendable {
    var servicePorts: [ServiceSpecification.ServicePort] = []
    var frontends: [ServiceSpecification.Frontend] = []
    var ports: [UInt16] = []

    init(_ pods: [Pod], node: NodeSettings, registry: inout ServicePortRegistry) {
        // Of two frontends with one key the first wins: a pod that ends gives its port to the one that follows it.
        for pod in pods where !pod.metadata.isDeleted { add(pod, node, &registry) }
        for pod in pods where pod.metadata.isDeleted { add(pod, node, &registry) }
    }

    private mutating func add(_ pod: Pod, _ node: NodeSettings, _ registry: inout ServicePortRegistry) {
        guard pod.nodeName == node.name, !pod.isFinished else { return }
        if pod.hostNetwork {
            // It listens on the node's own ports: nothing to translate, but nobody may be given them.
            ports += pod.ports.compactMap(\.hostPort)
            return
        }
        guard let address = pod.podIP else { return }
        for port in pod.ports {
            guard let hostPort = port.hostPort, let transport = port.transport.wire else { continue }
            // A Pod often has the name of its Service, and its port too; no port of a Service is called like this.
            let name = "\(pod.metadata.namespace)/\(pod.metadata.name):hostPort-\(hostPort)"
            let identity = ServicePortIdentity(
                namespace: pod.metadata.namespace,
                name: "pod/" + pod.metadata.name,
                portName: "host-\(hostPort)" + (port.hostIP.map { "-\($0)" } ?? ""),
                transport: transport
            )
            let backend = Backend(address: address, port: port.containerPort, isLocal: true)
            servicePorts.append(
                .init(
                    identifier: registry.number(of: identity, name: name),
                    name: name,
                    cluster: [backend],
                    local: [backend],
                    hasAny: true,
                    transport: transport
                )
            )
            ports.append(hostPort)
            // A hostIP that is no address of the node's must not capture what is sent to somebody else.
            for nodeAddress in node.addresses where port.hostIP == nil || port.hostIP == nodeAddress {
                frontends.append(
                    .init(
                        kind: .hostPort,
                        address: nodeAddress,
                        port: hostPort,
                        transport: transport,
                        servicePort: servicePorts.count - 1
                    )
                )
            }
        }
    }
}
