internal import Kubernetes

/// Pods by the labels that selectors ask for.
///
/// Theory of operation: a bucket holds the pods of a namespace that have a label; a selector looks through the smallest of its
/// buckets. Only keys that stand in some selector are indexed.
struct PodIndex: Sendable {
    /// A label of pods, in a namespace.
    struct Label: Hashable, Sendable {
        var namespace: String
        var key: String
        var value: String
    }

    /// The keys that are indexed.
    private(set) var keys: Set<String> = []
    private var pods: [Pod?] = []
    private var places: [ServiceName: Int] = [:]
    private var buckets: [Label: [Int]] = [:]

    /// An index without pods.
    init() {}

    init(_ pods: [Pod], keys: Set<String>) {
        self.keys = keys
        self.pods.reserveCapacity(pods.count)
        places.reserveCapacity(pods.count)
        for pod in pods { add(pod) }
    }

    /// The pods of a namespace that a selector matches, in no certain order; an empty one matches none.
    func selected(by selector: [String: String], in namespace: String) -> [Pod] {
        var smallest: [Int]?
        for (key, value) in selector {
            guard let bucket = buckets[Label(namespace: namespace, key: key, value: value)] else { return [] }
            if bucket.count < smallest?.count ?? .max { smallest = bucket }
        }
        return (smallest ?? []).compactMap { place in
            guard let pod = pods[place], pod.matches(selector) else { return nil }
            return pod
        }
    }

    /// Adds a pod that is not there.
    mutating func add(_ pod: Pod) {
        if keys.isEmpty { return }
        places[pod.name] = pods.count
        for label in labels(of: pod) { buckets[label, default: []].append(pods.count) }
        pods.append(pod)
    }

    /// Takes out the pod of the same name and labels.
    mutating func remove(_ pod: Pod) {
        guard let place = places.removeValue(forKey: pod.name) else { return }
        for label in labels(of: pod) { buckets[label]?.removeAll { $0 == place } }
        pods[place] = nil
    }

    private func labels(of pod: Pod) -> [Label] {
        pod.metadata.labels.compactMap { key, value in
            keys.contains(key) ? Label(namespace: pod.metadata.namespace, key: key, value: value) : nil
        }
    }
}

extension Pod {
    /// Whether the pod has all labels of a selector.
    func matches(_ selector: [String: String]) -> Bool {
        selector.allSatisfy { metadata.labels[$0.key] == $0.value }
    }

    fileprivate var name: ServiceName { ServiceName(namespace: metadata.namespace, name: metadata.name) }
}
