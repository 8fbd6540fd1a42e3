package import Services

/// The file in the state directory that remembers what Services were given: `allocations.json`.
///
/// Theory of operation: what is not a whole, valid file of a version that is known is set aside under another name, and
/// everything is given anew. The keys are `namespace/name` of Services, and
/// `namespace/name:port/protocol` of their ports.
package struct AllocationFile: Sendable {
    /// The path of the file.
    package var path: String { file.path }
    private let file: StateFile

    private struct Version: Codable { var version: Int }
    private typealias Damage = StateFile.Damage

    /// 10,000 Services with several ports each are about 2 MB.
    private static let maximumSize = 64 << 20

    /// The file in a state directory, which need not exist yet.
    package init(directory: String) { file = StateFile("allocations.json", in: directory) }

    /// What the file holds, nothing if there is none; `problem` says what was wrong with one that was set aside.
    package func load() -> (state: AllocationState, problem: String?) {
        guard file.exists else { return (AllocationState(), nil) }
        do throws(Damage) {
            return (try read(), nil)
        } catch {
            return (AllocationState(), file.setAside(error, consequence: "Services are given addresses anew"))
        }
    }

    private func read() throws(Damage) -> AllocationState {
        let version = try file.read(Version.self, maximumSize: Self.maximumSize).version
        if version != AllocationLayout.version {
            throw Damage(text: "is of version \(version), not \(AllocationLayout.version)")
        }
        return try file.read(AllocationLayout.self, maximumSize: Self.maximumSize).state()
    }

    /// Writes what is given now, at once as a whole.
    package func save(_ state: AllocationState) throws(StateError) {
        try file.write(AllocationLayout(state))
    }
}
