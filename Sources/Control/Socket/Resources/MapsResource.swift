internal import Datapath

/// The maps of the running datapath: their list, and the entries of those that can be shown.
struct MapsResource {
    let context: ControlContext

    /// All maps with their sizes.
    func list() async throws(WorkerGone) -> [JSONValue] {
        MapDumps.listing(try await context.worker.ask { pipeline in pipeline.maps })
    }

    /// The entries of a map.
    func dump(_ name: String, to items: inout ItemWriter) async throws {
        switch name {
        case "conntrack": return try await ConntrackResource(context).list(FlowFilter(), to: &items)
        case "affinity": return try await AffinityResource(context: context).list(to: &items)
        default: break
        }
        let (maps, table) = try await context.worker.ask { pipeline in
            (pipeline.maps.map(\.name), pipeline.services)
        }
        guard maps.contains(name) else { throw ControlFault.notFound("\(name): is no map") }
        let cluster = context.cluster()
        let entries: [JSONValue]
        do throws(MapError) {
            let dumps = MapDumps(cluster, table: table, interfaces: cluster.interfaceTable(isReplay: false))
            guard MapDumps.names.contains(name) else {
                throw MapError(problem: "cannot be shown by itself", hint: "the list of maps has its size")
            }
            entries = try dumps.entries(name)
        } catch {
            throw ControlFault.notFound("\(name): \(error.problem)")
        }
        for entry in entries {
            items.append(entry)
            try await items.sendIfFull()
        }
    }
}
