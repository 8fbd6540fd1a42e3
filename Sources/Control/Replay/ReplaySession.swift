package import Capture
package import Datapath
internal import Services
internal import Tables
internal import Wire

/// How a capture is to be replayed.
package struct ReplaySettings: Sendable {
    /// What standard output gets.
    package enum Output: String, Sendable, CaseIterable {
        /// A line for every packet, for people.
        case text
        /// A JSON object for every packet, on a line of its own.
        case json
    }

    /// The capture, `-` for standard input.
    package var input: String
    /// A pcap filter expression; it decides what enters the pipeline.
    package var filter: String?
    /// The seed of every choice.
    package var seed: UInt64 = 1
    /// How many packets are processed at once, 1 to `Batch.maximumCount`; changes nothing of what comes out.
    package var batch = Batch.maximumCount
    /// What standard output gets; nil: a summary at the end.
    package var output: Output?
    /// The trace to write; nil for none.
    package var trace: TraceSettings?
    /// Whether packets from a frontend are turned back into what the backend had sent.
    package var reconstructsReplies = true
    /// Whether events as text are colored.
    package var isColored = false
    /// Other manifests from certain packets on, in the order of the packets.
    package var reloads: [ReplayReload] = []
    /// Called now and then with the number of packets so far; for someone who waits.
    package var progress: (@Sendable (UInt64) -> Void)?

    /// The defaults for a capture.
    package init(input: String) { self.input = input }
}

/// A change of manifests within a replay.
package struct ReplayReload: Sendable {
    /// The number of the first packet that sees them.
    package let packet: UInt64
    /// The cluster as they describe it; made from the one before by `Cluster.next`.
    package let cluster: Cluster

    /// A change of manifests from a packet on.
    package init(packet: UInt64, cluster: Cluster) {
        self.packet = packet
        self.cluster = cluster
    }
}

/// A capture that goes through the pipeline, clocked by its own times.
///
/// Theory of operation: frames are read straight into the batch, decided, and told about in the order of the file;
/// nothing is kept. Times come from the capture, the timers' clock never goes back. With one seed the same input gives
/// the same events and the same trace, whatever the size of the batches.
package struct ReplaySession: ~Copyable {
    private let cluster: Cluster
    private let settings: ReplaySettings
    private let version: String
    /// What the packets go through; holds flows and counters afterwards.
    package private(set) var pipeline: Pipeline
    private var batch: Batch
    private var clock: UInt64 = 0
    /// How many frames came before those of this capture, and how many are in it.
    private var framesBefore: UInt64 = 0
    private var framesRead: UInt64 = 0
    private let uplink: UInt16
    /// How many of the reloads were done.
    private var reloadsDone = 0
    /// A packet that was read, and waits in a frame of the last batch until that has been decided by the old rules.
    private var waiting: (packet: CapturedPacket, frame: Int)?

    /// A session for one run, with an empty conntrack table.
    package init(_ cluster: Cluster, _ settings: ReplaySettings, version: String) {
        self.cluster = cluster
        self.settings = settings
        self.version = version
        let interfaces = cluster.interfaceTable(isReplay: true)
        var configuration = cluster.datapathConfiguration(seed: settings.seed, isReplay: true)
        configuration.reconstructsReplies = settings.reconstructsReplies
        pipeline = Pipeline(
            configuration,
            interfaces: interfaces,
            services: cluster.serviceTable(seed: settings.seed)
        )
        batch = Batch(
            keepsPreimages: settings.trace != nil,
            describesFlows: settings.trace != nil || settings.output != nil
        )
        let last = interfaces.interfaces.indices.last ?? 0
        uplink = UInt16(interfaces.interfaces.firstIndex { $0.role == .uplink } ?? last)
    }

    /// Goes on from where another replay with the same configuration ended.
    ///
    /// For a session that has not run. Throws when the state is damaged, or does not fit; then the session is of no use.
    package mutating func resume(_ state: ReplayState) throws(StateError) {
        var decoder = StateDecoder(state.pipeline)
        pipeline.restore(from: &decoder, servicePorts: state.registry.entries.count, now: state.clock)
        guard decoder.isWhole, decoder.isAtEnd else {
            throw StateError(description: "is damaged, or does not fit this configuration")
        }
        clock = state.clock
        framesBefore = state.frames
    }

    /// The state at the end of a run, for another one to go on with.
    package var state: ReplayState {
        var encoder = StateEncoder()
        pipeline.save(to: &encoder)
        let last = settings.reloads.last?.cluster ?? cluster
        return ReplayState(
            seed: settings.seed,
            registry: last.registry,
            allocations: last.allocations,
            frames: framesBefore &+ framesRead,
            clock: clock,
            pipeline: encoder.bytes
        )
    }

    /// Replays the capture; events go to `write` as they come, a whole number of lines at a time.
    ///
    /// Throws what is wrong with the capture or the trace; all packets before the damage were processed.
    package mutating func run(write: ([UInt8]) throws(CaptureError) -> Void) throws(CaptureError) -> ReplaySummary {
        var reader = try CaptureReader(path: settings.input, filter: settings.filter)
        guard let trace = settings.trace else {
            var none: TraceRecorder?
            if let damage = try process(&reader, &none, write) { throw damage }
            return summary(reader)
        }
        let formatter = TraceCommentWriter.formatter(
            interfaces: pipeline.interfaces.interfaces.map(\.label),
            names: ServicePortNames(names)
        )
        let writer = try TraceWriter(path: trace.path, options: traceOptions(trace), comment: formatter)
        let damage = try record(&reader, writer, trace, write)
        try writer.finish()
        if let damage { throw damage }
        return summary(reader)
    }

    /// Works through the capture with a recorder that is gone, and so has flushed, when this returns.
    private mutating func record(
        _ reader: inout CaptureReader,
        _ writer: TraceWriter,
        _ trace: TraceSettings,
        _ write: ([UInt8]) throws(CaptureError) -> Void
    ) throws(CaptureError) -> CaptureError? {
        var recorder: TraceRecorder?
        if let producer = writer.producer() {
            recorder = TraceRecorder(
                producer: producer,
                interfaceCount: pipeline.interfaces.interfaces.count,
                settings: trace
            )
        }
        return try process(&reader, &recorder, write)
    }

    /// Works through the capture; returns the damage at which it ended, if any.
    private mutating func process(
        _ reader: inout CaptureReader,
        _ recorder: inout TraceRecorder?,
        _ write: ([UInt8]) throws(CaptureError) -> Void
    ) throws(CaptureError) -> CaptureError? {
        var formatter = EventFormatter(
            interfaces: pipeline.interfaces,
            names: names
        )
        formatter.isColored = settings.isColored
        var text = TextBuffer(capacity: 1 << 17)
        var damage: CaptureError?
        var isAtEnd = false
        var rounds = 0
        while !isAtEnd {
            batch.clear()
            do throws(CaptureError) {
                isAtEnd = try fill(&reader)
            } catch {
                damage = error
                isAtEnd = true
            }
            pipeline.process(&batch)
            if let output = settings.output {
                for number in 0..<batch.count {
                    switch output {
                    case .json: formatter.appendJSON(batch.packets[number], to: &text)
                    case .text: formatter.appendLine(batch.packets[number], to: &text)
                    }
                }
                if text.count >= 1 << 16 {
                    try write(text.bytes)
                    text.clear()
                }
            }
            recorder?.record(batch)
            rounds &+= 1
            if rounds & 0xfff == 0 { settings.progress?(pipeline.counters.received) }
            if recorder?.failure != nil { break }
        }
        if text.count > 0 { try write(text.bytes) }
        return damage
    }

    /// Reads frames into the batch; true at the end of the capture.
    ///
    /// A batch ends before a packet from which on other rules hold.
    private mutating func fill(_ reader: inout CaptureReader) throws(CaptureError) -> Bool {
        while batch.count < settings.batch {
            guard let packet = try nextPacket(&reader) else { return true }
            if isReloadDue(packet) {
                if batch.count > 0 {
                    waiting = (packet: packet, frame: batch.count)
                    return false
                }
                while isReloadDue(packet) { reload() }
            }
            append(packet)
        }
        return false
    }

    /// The next packet of the capture, with its bytes in the next frame of the batch; nil at the end.
    @inline(__always)
    private mutating func nextPacket(_ reader: inout CaptureReader) throws(CaptureError) -> CapturedPacket? {
        if let (packet, frame) = waiting {
            waiting = nil
            batch.frames.copy(frame, to: batch.count, length: packet.capturedLength)
            return packet
        }
        var frame = batch.frames.frame(batch.count, length: batch.frames.capacity)
        return try reader.next(into: &frame)
    }

    /// Adds a packet whose bytes are in the next frame of the batch.
    @inline(__always)
    private mutating func append(_ captured: CapturedPacket) {
        // Room is left above, so that no deadline can wrap; a capture that claims more has no real times.
        clock = max(clock, min(captured.time, 1 << 62))
        let number = batch.appendEmpty()
        batch.packets[number].number = framesBefore &+ captured.number
        batch.packets[number].time = captured.time
        batch.packets[number].now = clock
        batch.packets[number].length = Int32(truncatingIfNeeded: captured.capturedLength)
        batch.packets[number].wireLength = Int32(clamping: captured.wireLength)
        batch.packets[number].ingress = uplink
        if let fault = captured.fault { batch.packets[number].linkReason = DropReason(fault) }
        // Not by `isTruncated`: of another module it would be a call.
        if captured.capturedLength < captured.wireLength { batch.packets[number].marks.insert(.truncated) }
    }

    private func isReloadDue(_ packet: CapturedPacket) -> Bool {
        reloadsDone < settings.reloads.count
            && settings.reloads[reloadsDone].packet <= framesBefore &+ packet.number
    }

    /// Takes over the next rules, and holds all flows against them at once, so that nothing depends on batches.
    private mutating func reload() {
        pipeline.replaceServices(settings.reloads[reloadsDone].cluster.serviceTable(seed: settings.seed))
        pipeline.reconcile(budget: .max)
        reloadsDone += 1
    }

    /// The names of ServicePorts, by number: those of all rules, as names are only ever added.
    private var names: [String] { (settings.reloads.last?.cluster ?? cluster).registry.names }

    private mutating func summary(_ reader: borrowing CaptureReader) -> ReplaySummary {
        framesRead = reader.packetsRead
        return ReplaySummary(pipeline, filtered: reader.packetsFiltered, reloads: reloadsDone)
    }

    private func traceOptions(_ trace: TraceSettings) -> TraceOptions {
        var options = TraceOptions(application: "culvert \(version)", points: TraceRecorder.points(pipeline.interfaces))
        options.format = trace.format
        options.comment = "replay, node \(cluster.node.name), seed \(settings.seed)"
        options.names = TraceNames.names(of: [cluster] + settings.reloads.map(\.cluster))
        options.verdicts = trace.verdicts ? .expressDataPath : nil
        options.mode = .blocking
        // Nothing is lost, so the ring need not hold bursts: what stays in the caches costs less.
        options.ringCapacity = 4 << 20
        return options
    }
}

extension DropReason {
    /// The reason for a frame without an IPv4 packet.
    init(_ fault: LinkFault) {
        switch fault {
        case .shortEthernet: self = .shortEthernet
        case .shortVLAN: self = .shortVLAN
        case .unsupportedEtherType: self = .unsupportedEtherType
        case .unsupportedVLAN: self = .unsupportedVLAN
        case .unsupportedIPv6: self = .unsupportedIPv6
        case .martianL2: self = .martianLinkLayer
        }
    }
}
