import Control
import Datapath
import Tables

/// States of replays: read or refused, and what was read is written as it was.
///
/// The input is what stands behind the check of the file, which few inputs would pass by themselves.
enum ReplayStateFuzzer {
    private static let magic = Array("culvert replay\n\u{0}".utf8)
    private static let version: UInt32 = 2

    static func run(_ bytes: [UInt8]) {
        read(bytes, isSealed: false)
        read(sealed(bytes), isSealed: true)
    }

    private static func read(_ file: [UInt8], isSealed: Bool) {
        do throws(StateError) {
            let state = try ReplayState.decode(file)
            let written = try state.bytes()
            let again = try ReplayState.decode(written).bytes()
            precondition(again == written, "a state that is written is read as it was")
        } catch {
            precondition(!error.description.isEmpty, "an error says why")
            precondition(!isSealed || !error.description.hasPrefix("is of version"), "the fuzzer has another version")
        }
    }

    /// A file with a right check: FNV-1a.
    private static func sealed(_ contents: [UInt8]) -> [UInt8] {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in contents { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        var head = StateEncoder()
        head.put(version)
        head.put(PinnedMaps.layout)
        head.put(hash)
        return magic + head.bytes + contents
    }
}
