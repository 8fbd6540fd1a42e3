/// The names of fields that decoding knows, of all kinds together; their raw values are symbols of `SymbolTable`.
enum FieldName: UInt32, CaseIterable {
    case mergeKey
    // Every object.
    case apiVersion, kind, metadata, spec, status, items
    case name, generateName, namespace, labels, annotations, uid, resourceVersion, generation, creationTimestamp
    case deletionTimestamp, deletionGracePeriodSeconds, ownerReferences, finalizers, managedFields, selfLink
    case clusterName
    // Service.
    case type, clusterIP, clusterIPs, ports, selector, externalIPs, externalName, sessionAffinity
    case sessionAffinityConfig, clientIP, timeoutSeconds, externalTrafficPolicy, internalTrafficPolicy
    case loadBalancerIP, loadBalancerSourceRanges, loadBalancerClass, allocateLoadBalancerNodePorts
    case healthCheckNodePort, publishNotReadyAddresses, ipFamilies, ipFamilyPolicy, trafficDistribution
    case `protocol`, port, targetPort, nodePort, appProtocol
    case loadBalancer, conditions, ingress, ip, hostname, ipMode, error
    // EndpointSlice and Endpoints.
    case addressType, endpoints, addresses, ready, serving, terminating, nodeName, zone, hints, forZones, forNodes
    case targetRef, deprecatedTopology, topology, fieldPath, subsets, notReadyAddresses
    // Node and Pod.
    case podCIDR, podCIDRs, address, hostNetwork, subdomain, containers, initContainers, restartPolicy
    case containerPort, hostPort, hostIP, podIP, podIPs, phase
    // ServiceCIDR.
    case cidrs

    /// The name as manifests spell it.
    var text: String { self == .mergeKey ? "<<" : "\(self)" }
}
