internal import Datapath

/// Counters by name, and drops by reason.
///
/// Names are stable; `unit` is `packets`, `bytes`, `flows`, `clients`, `errors`, `fragments`, `records`, `reloads`, `seconds`
/// (since 1970) or `boolean` (0 or 1).
struct CountersResource {
    let context: ControlContext

    /// All counters: packets, verdicts, reasons, tables, interfaces, the trace.
    func counters() async throws(WorkerGone) -> [JSONValue] {
        let (snapshot, ports) = try await context.worker.ask { [interfaces = context.interfaces] pipeline in
            (pipeline.counterSnapshot, interfaces.totals)
        }
        var list = CounterList()
        list.add("received", snapshot.received, "packets")
        for verdict in Verdict.allCases where verdict != .undecided && verdict != .hold {
            list.add("verdict.\(verdict.word)", snapshot[verdict])
        }
        list.add("fragments.held", snapshot.fragmentsHeld, "fragments")
        list.add("checksums.bad", snapshot.badChecksums, "packets")
        list.add("icmp.suppressed", snapshot.errorsSuppressed, "errors")
        list.add("flows.current", snapshot.flows.count, "flows")
        list.add("flows.capacity", snapshot.flows.capacity, "flows")
        list.add("flows.created", snapshot.flowsCreated, "flows")
        list.add("flows.restored", snapshot.flowsRestored, "flows")
        for eviction in EvictionClass.allCases {
            list.add("flows.current.\(eviction.word)", snapshot.classes[eviction], "flows")
        }
        list.add("flows.expired", snapshot.expirations.total, "flows")
        for eviction in EvictionClass.allCases {
            list.add("flows.expired.\(eviction.word)", snapshot.expirations[eviction], "flows")
        }
        list.add("flows.evicted", snapshot.evictions.total, "flows")
        for eviction in EvictionClass.allCases where eviction.isEvictable {
            list.add("flows.evicted.\(eviction.word)", snapshot.evictions[eviction], "flows")
        }
        list.add("flows.replaced", snapshot.flowsReplaced, "flows")
        list.add("flows.flushed", snapshot.flowsFlushed, "flows")
        list.add("flows.reconciled", snapshot.flowsReconciled, "flows")
        list.add("flows.insertFailed", snapshot.insertionsFailed, "flows")
        list.add("flows.halfOpenRefused", snapshot.halfOpenRefused, "flows")
        list.add("segments.invalid", snapshot.invalidSegments, "packets")
        list.add("affinity.current", snapshot.affinity.count, "clients")
        list.add("affinity.capacity", snapshot.affinity.capacity, "clients")
        list.add("affinity.refused", snapshot.affinityRefused, "clients")
        list.add("affinity.forgotten", snapshot.affinityForgotten, "clients")
        list.add("ports.changed", snapshot.portsChanged, "flows")
        for reason in DropReason.allCases where reason != .none { list.add("reason.\(reason.id)", snapshot[reason]) }
        for port in ports {
            list.add("interface.\(port.label).rxPackets", port.framesRead, "packets")
            list.add("interface.\(port.label).rxBytes", port.bytesRead, "bytes")
            list.add("interface.\(port.label).txPackets", port.framesWritten, "packets")
            list.add("interface.\(port.label).txBytes", port.bytesWritten, "bytes")
            list.add("interface.\(port.label).txLost", port.framesLost, "packets")
        }
        let reloads = context.reloads()
        list.add("reloads.done", reloads.reloads, "reloads")
        list.add("reloads.failed", reloads.failures, "reloads")
        list.add("reloads.current", reloads.isCurrent ? 1 : 0, "boolean")
        list.add("reloads.lastSuccess", reloads.lastSuccess / 1_000_000_000, "seconds")
        if let lost = context.lostRecords() { list.add("trace.lost", lost, "records") }
        return list.items
    }

    /// Why packets were dropped or refused: every reason, in the order of its number, with the text of `explain`.
    func drops() async throws(WorkerGone) -> [JSONValue] {
        let snapshot = try await context.worker.ask { pipeline in pipeline.counterSnapshot }
        return DropReason.allCases.filter { $0 != .none }.map { reason in
            let text = reason.explanation
            return .object([
                ("reason", .string(reason.id)), ("packets", .number(Int(clamping: snapshot[reason].packets))),
                ("bytes", .number(Int(clamping: snapshot[reason].bytes))), ("meaning", .string(text.meaning)),
                ("causes", .string(text.causes)), ("rule", .string(text.rule)),
            ])
        }
    }
}

/// Counters as items.
private struct CounterList {
    var items: [JSONValue] = []

    mutating func add(_ name: String, _ value: some BinaryInteger, _ unit: String) {
        items.append(
            .object([("counter", .string(name)), ("value", .number(Int(clamping: value))), ("unit", .string(unit))])
        )
    }

    mutating func add(_ name: String, _ amount: CounterSnapshot.Amount) {
        add("\(name).packets", amount.packets, "packets")
        add("\(name).bytes", amount.bytes, "bytes")
    }
}
