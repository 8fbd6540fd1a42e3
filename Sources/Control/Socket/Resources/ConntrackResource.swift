internal import Datapath
internal import Services

/// The conntrack table over the control socket: listed, counted by user, and emptied, slice by slice.
struct ConntrackResource {
    let context: ControlContext
    private let item: FlowItem

    /// How many flows are removed in one turn of the worker.
    private static let flushedAtOnce = 256

    init(_ context: ControlContext) {
        self.context = context
        let cluster = context.cluster()
        item = FlowItem(
            names: cluster.registry.names,
            interfaces: cluster.interfaceTable(isReplay: false).interfaces.map(\.label)
        )
    }

    /// Calls `use` for each part of the table with the flows that pass the filter, and the time of the look.
    private func walk(
        _ filter: FlowFilter,
        _ use: ([FlowRecord], UInt64) async throws -> Void
    ) async throws {
        let slice = Handed(FlowSlice())
        repeat {
            _ = try await context.worker.ask { pipeline in pipeline.advance(slice) }
            let found =
                filter.isEmpty
                ? slice.value.records
                : slice.value.records.filter { filter.matches($0.flow, service: item.service(of: $0.flow)) }
            try await use(found, slice.value.now)
        } while slice.value.next != nil
    }

    /// The flows, in the order of their records.
    func list(_ filter: FlowFilter, to items: inout ItemWriter) async throws {
        try await walk(filter) { records, now in
            for record in records {
                items.append { item.append(record.flow, now: now, to: &$0) }
                try await items.sendIfFull()
            }
        }
    }

    /// Removes flows, and tells how many.
    func flush(_ filter: FlowFilter) async throws -> Int {
        var flushed = 0
        try await walk(filter) { records, _ in
            var rest = records.map { FlowIdentity($0) }[...]
            while !rest.isEmpty {
                let part = rest.prefix(Self.flushedAtOnce)
                rest = rest.dropFirst(Self.flushedAtOnce)
                flushed += try await context.worker.ask { pipeline in pipeline.flush(part) }
            }
        }
        return flushed
    }

    /// Who uses the entries, and the ports of the node's address.
    func usage(_ filter: FlowFilter, top count: Int) async throws -> JSONValue {
        var usage = FlowUsage()
        try await walk(filter) { records, _ in
            for record in records { usage.add(record.flow, service: item.service(of: record.flow)) }
        }
        let snapshot = try await context.worker.ask { pipeline in pipeline.counterSnapshot }
        return usage.json(top: count, capacity: snapshot.flows.capacity, ports: snapshot.usablePorts)
    }
}
