package import Datapath
internal import Devices
internal import Tables

/// The files that the maps of a daemon live in.
package struct PinnedMapFiles {
    private let conntrack: MapFile
    private let affinity: MapFile

    /// The files in a state directory.
    package init(_ directory: StateDirectory) {
        conntrack = MapFile(.conntrack, in: directory)
        affinity = MapFile(.affinity, in: directory)
    }

    /// New, empty maps; they take their place with `commit`.
    package func create(conntrackCapacity: Int) throws(StateError) -> PinnedMaps {
        let flows = try conntrack.create(conntrackCapacity: conntrackCapacity)
        let clients = try affinity.create(conntrackCapacity: conntrackCapacity)
        return PinnedMaps(conntrack: flows, affinity: clients)
    }

    /// Gives a pipeline what an earlier daemon left, as far as it can be used.
    ///
    /// `servicePorts` is how many ServicePorts have the numbers that they had then; nil if that is not known. Returns what
    /// came of it, nil if there was nothing, and a line about each file that was set aside.
    package func restore(into pipeline: inout Pipeline, servicePorts: Int?) -> (
        result: Restoration?, problems: [String]
    ) {
        let now = UInt64(monotonicNanoseconds())
        var result: Restoration?
        var problems: [String] = []
        for file in [conntrack, affinity] {
            switch file.find() {
            case .nothing: break
            case .unusable(let fault): problems.append(file.setAside(fault))
            case .records(let region):
                guard let servicePorts else {
                    problems.append(file.setAside("is without the numbers of its ServicePorts"))
                    continue
                }
                let part =
                    switch file.kind {
                    case .conntrack: pipeline.restore(conntrack: region, servicePorts: servicePorts, now: now)
                    case .affinity: pipeline.restore(affinity: region, servicePorts: servicePorts, now: now)
                    }
                result = (result ?? Restoration()) + part
            }
        }
        return (result, problems)
    }

    /// Puts the new maps in the place of the old ones: what was given to the pipeline is kept from now on.
    package func commit() throws(StateError) {
        try conntrack.commit()
        try affinity.commit()
    }
}

extension Restoration {
    fileprivate static func + (left: Restoration, right: Restoration) -> Restoration {
        var sum = left
        sum.flows += right.flows
        sum.clients += right.clients
        sum.expired += right.expired
        sum.refused += right.refused
        return sum
    }

    /// For the log.
    var line: String {
        "\(flows) flows and \(clients) remembered clients go on; \(expired) records were over, \(refused) are of no use"
    }
}
