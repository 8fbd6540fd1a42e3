package import Tables
internal import Wire

// What an earlier process left in its conntrack map. Nothing is trusted: every field is checked or computed anew.

extension Flow {
    /// A flow from the bytes of a record; nil unless it is whole and consistent.
    ///
    /// Links are not taken over. The interfaces that packets leave by are, and may be none that there are.
    init?(restoring bytes: RawSpan) {
        guard bytes.byteCount == MemoryLayout<Flow>.stride, Self.hasValidCases(bytes) else { return nil }
        // Safe: all bit patterns are values of the other fields; those of the enumerations were checked.
        let record = unsafe bytes.unsafeLoadUnaligned(as: Flow.self)
        guard record.state != .none, record.state.isOf(record.transport), record.original != record.reply,
            record.identifier != 0, record.identifier < 1 << 62
        else { return nil }
        var flow = Flow(
            original: record.original,
            reply: record.reply,
            transport: record.transport,
            identifier: record.identifier
        )
        // Made from both tuples: a record that was cut in writing gives itself away.
        guard flow.side(.original) == record.side(.original), flow.side(.reply) == record.side(.reply),
            flow.flags.contains(.translated) == record.flags.contains(.translated),
            (record.frontend == .none) == (record.service == 0)
        else { return nil }
        flow.flags = record.flags
        flow.state = record.state
        flow.deadline = record.deadline
        flow.service = record.service
        flow.frontend = record.frontend
        flow.noted = record.noted
        flow.counts = record.counts
        flow.windows = record.windows
        flow.setEgress(original: record.egress(.original), reply: record.egress(.reply))
        self = flow
    }

    /// Whether the bytes of all enumerations are values of theirs.
    private static func hasValidCases(_ bytes: RawSpan) -> Bool {
        guard let state = MemoryLayout<Flow>.offset(of: \.state),
            let frontend = MemoryLayout<Flow>.offset(of: \.frontend)
        else { return false }
        // Safe: a byte is a valid UInt8, and both offsets lie within the record.
        return unsafe FlowState(rawValue: bytes.unsafeLoad(fromByteOffset: state, as: UInt8.self)) != nil
            && FrontendKind(rawValue: bytes.unsafeLoad(fromByteOffset: frontend, as: UInt8.self)) != nil
    }
}

extension FlowState {
    /// Whether flows of a protocol can be in this state.
    fileprivate func isOf(_ transport: TransportProtocol) -> Bool {
        switch self {
        case .none: false
        case .unreplied, .replied: transport == .udp
        case .icmpQuery: transport == .icmp
        default: transport == .tcp
        }
    }
}

extension FlowTable {
    /// Enters a flow of an earlier process as it was; false when one of its tuples is taken, or the table is full.
    fileprivate mutating func restore(_ flow: Flow, now: UInt64) -> Bool {
        guard !isTaken(flow.original, flow.transport, now: now), !isTaken(flow.reply, flow.transport, now: now),
            let number = insert(original: flow.original, reply: flow.reply, transport: flow.transport, now: now)
        else { return false }
        flows[number] = flow
        arm(number)
        return true
    }
}

extension Pipeline {
    /// Takes over the flows that an earlier process left, and begins to hold them against the service table: call
    /// `reconcile` until that is done.
    ///
    /// For a pipeline that has seen no packet. The region is as `PinnedMaps` describes it, of any capacity. `servicePorts` is
    /// how many ServicePorts have numbers, which must be the same as then; `now` is in nanoseconds of the same clock.
    package mutating func restore(conntrack: borrowing Region, servicePorts: Int, now: UInt64) -> Restoration {
        var result = Restoration()
        let size = PinnedMaps.flowSize
        var offset = PinnedMaps.recordOffset + size
        while offset + size <= conntrack.byteCount {
            let bytes = conntrack.bytes.extracting(offset..<offset + size)
            offset += size
            if Flow.isUnused(bytes) { continue }
            guard let flow = Flow(restoring: bytes), Int(flow.service) <= servicePorts else {
                result.refused += 1
                continue
            }
            if flow.deadline <= now {
                result.expired += 1
            } else if restore(flow, now: now) {
                result.flows += 1
            } else {
                result.refused += 1
            }
        }
        replaceServices(services)
        return result
    }

    /// The same for the remembered clients.
    package mutating func restore(affinity entries: borrowing Region, servicePorts: Int, now: UInt64) -> Restoration {
        var result = Restoration()
        affinity.restore(from: entries, servicePorts: servicePorts, now: now, &result)
        replaceServices(services)
        return result
    }

    /// Finds the interfaces of a flow anew, as they are configured now, and enters it.
    private mutating func restore(_ record: Flow, now: UInt64) -> Bool {
        var flow = record
        guard let forth = interfaces.egress(to: flow.reply.source),
            let back = interfaces.egress(to: flow.original.source)
        else { return false }
        flow.setEgress(original: forth, reply: back)
        // However long the record claims to live, it lives no longer than a flow that was seen just now.
        flow.deadline = min(flow.deadline, now &+ configuration.timeouts.duration(of: flow.state))
        guard flows.restore(flow, now: now) else { return false }
        counters.flowsRestored &+= 1
        flows.lastIdentifier = max(flows.lastIdentifier, flow.identifier)
        return true
    }
}

extension Flow {
    /// Whether a record was never used, or its flow is gone.
    fileprivate static func isUnused(_ bytes: RawSpan) -> Bool {
        guard let state = MemoryLayout<Flow>.offset(of: \.state) else { return true }
        // Safe: a byte is a valid UInt8, and the offset lies within the record.
        return unsafe bytes.unsafeLoad(fromByteOffset: state, as: UInt8.self) == FlowState.none.rawValue
    }
}
