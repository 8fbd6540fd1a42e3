internal import Datapath
internal import Foundation
package import Services
internal import Tables

/// The state of a replay between two captures, in a file: with it a capture in parts gives what the whole gives.
///
/// Theory of operation: the file says how far the replay had come (frames, clock), what it was made with (seed, numbers and
/// allocations of Services), and holds the state of the pipeline. Nothing of it is trusted: what is damaged, of another version, or
/// does not fit the configuration is refused as a whole.
package struct ReplayState: Sendable {
    /// The seed of every choice.
    package var seed: UInt64
    /// The numbers of the ServicePorts.
    package var registry: ServicePortRegistry
    /// What Services have been given.
    package var allocations: AllocationState
    /// How many frames came before.
    var frames: UInt64
    /// The clock of the timers, in nanoseconds.
    var clock: UInt64
    /// The pipeline, as `Pipeline.save` writes it.
    var pipeline: [UInt8]

    private struct Made: Codable {
        var servicePorts: ServicePortLayout
        var allocations: AllocationLayout
    }

    private static let magic = Array("culvert replay\n\u{0}".utf8)
    /// Counts the changes of this format; those of records are counted by `PinnedMaps.layout`.
    private static let version: UInt32 = 2
    /// A full table of 4,000,000 flows is about 600 MB.
    private static let maximumSize = 2 << 30

    init(
        seed: UInt64,
        registry: ServicePortRegistry,
        allocations: AllocationState,
        frames: UInt64,
        clock: UInt64,
        pipeline: [UInt8]
    ) {
        self.seed = seed
        self.registry = registry
        self.allocations = allocations
        self.frames = frames
        self.clock = clock
        self.pipeline = pipeline
    }

    /// Reads a file that `write` made.
    package init(path: String) throws(StateError) {
        let data: Data
        do {
            let handle = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
            data = try handle.read(upToCount: Self.maximumSize + 1) ?? Data()
        } catch {
            throw StateError(description: "\(path): cannot be read: \(error.localizedDescription)")
        }
        do throws(StateFile.Damage) {
            self = try Self.read(data)
        } catch {
            throw StateError(description: "\(path): \(error.text)")
        }
    }

    /// Reads what `bytes` gave; throws what is wrong with it.
    package static func decode(_ bytes: [UInt8]) throws(StateError) -> ReplayState {
        do throws(StateFile.Damage) {
            return try read(Data(bytes))
        } catch {
            throw StateError(description: error.text)
        }
    }

    private static func read(_ data: Data) throws(StateFile.Damage) -> ReplayState {
        let head = magic.count + 16
        guard data.count >= head, data.starts(with: magic) else {
            throw StateFile.Damage(text: "is no state of a replay")
        }
        if data.count > maximumSize { throw StateFile.Damage(text: "is larger than \(maximumSize >> 20) MiB") }
        var decoder = StateDecoder(Array(data.dropFirst(magic.count)))
        let found = (decoder.get(UInt32.self), decoder.get(UInt32.self))
        guard found == (version, PinnedMaps.layout) else {
            throw StateFile.Damage(text: "is of version \(found.0).\(found.1), not \(version).\(PinnedMaps.layout)")
        }
        guard decoder.get(UInt64.self) == check(data.dropFirst(head)) else {
            throw StateFile.Damage(text: "is damaged")
        }
        let seed: UInt64 = decoder.get()
        let frames: UInt64 = decoder.get()
        let clock: UInt64 = decoder.get()
        let json = decoder.getBytes(decoder.getCount(limit: .max, size: 1))
        let pipeline = decoder.getBytes(decoder.getCount(limit: .max, size: 1))
        guard decoder.isWhole, decoder.isAtEnd, clock <= 1 << 62, frames < 1 << 62,
            let made = try? JSONDecoder().decode(Made.self, from: Data(json))
        else { throw StateFile.Damage(text: "is damaged") }
        return ReplayState(
            seed: seed,
            registry: try made.servicePorts.registry(),
            allocations: try made.allocations.state(),
            frames: frames,
            clock: clock,
            pipeline: Array(pipeline)
        )
    }

    /// The contents of a file.
    package func bytes() throws(StateError) -> [UInt8] {
        let json: Data
        do {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys]
            json = try encoder.encode(
                Made(servicePorts: ServicePortLayout(registry), allocations: AllocationLayout(allocations))
            )
        } catch {
            throw StateError(description: "cannot be encoded: \(error.localizedDescription)")
        }
        var body = StateEncoder()
        body.put(seed)
        body.put(frames)
        body.put(clock)
        body.putCount(json.count)
        for byte in json { body.put(byte) }
        body.putCount(pipeline.count)
        var head = StateEncoder()
        head.put(Self.version)
        head.put(PinnedMaps.layout)
        let contents = body.bytes + pipeline
        head.put(Self.check(contents))
        return Self.magic + head.bytes + contents
    }

    /// Writes a file, at once as a whole.
    package func write(path: String) throws(StateError) {
        let contents = Data(try bytes())
        do {
            try contents.write(to: URL(fileURLWithPath: path), options: .atomic)
        } catch {
            throw StateError(description: "\(path): cannot be written: \(error.localizedDescription)")
        }
    }

    /// FNV-1a: what was damaged by accident is not taken for whole.
    private static func check(_ bytes: some Sequence<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return hash
    }
}
