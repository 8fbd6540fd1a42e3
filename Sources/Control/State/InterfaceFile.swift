internal import Devices

/// The file in the state directory that says which TUN interfaces outlive this daemon: `interfaces.json`.
///
/// It is written before any of them becomes persistent, so that none is ever left that nobody knows of.
struct InterfaceFile: Sendable {
    /// An interface, and the namespace as the configuration names it, empty for the daemon's own.
    struct Entry: Codable, Equatable {
        var namespace: String
        var namespaceInode: UInt64
        var index: Int32
        var name: String

        var identity: TunIdentity { TunIdentity(namespaceInode: namespaceInode, index: index, name: name) }

        init(_ identity: TunIdentity, namespace: String) {
            self.namespace = namespace
            namespaceInode = identity.namespaceInode
            index = identity.index
            name = identity.name
        }
    }

    private struct Layout: Codable {
        var version: Int
        var bootID: String
        var interfaces: [Entry]
    }

    private static let version = 1
    private static let maximumSize = 64 << 20

    private let file: StateFile
    private let bootID: String

    init(_ directory: StateDirectory) {
        file = StateFile("interfaces.json", in: directory.path)
        bootID = directory.bootID
    }

    /// What an earlier daemon left in this boot; `problem` says what was wrong with a file that was set aside.
    func load() -> (entries: [Entry], problem: String?) {
        guard file.exists else { return ([], nil) }
        do throws(StateFile.Damage) {
            let layout = try file.read(Layout.self, maximumSize: Self.maximumSize)
            if layout.version != Self.version {
                throw StateFile.Damage(text: "is of version \(layout.version), not \(Self.version)")
            }
            return (layout.bootID == bootID ? layout.interfaces : [], nil)
        } catch {
            return ([], file.setAside(error, consequence: "interfaces of before are not known"))
        }
    }

    /// Notes that no interface is left; where that fails, a later daemon looks for them and finds none.
    func forget() { try? save([]) }

    func save(_ entries: [Entry]) throws(StateError) {
        try file.write(Layout(version: Self.version, bootID: bootID, interfaces: entries))
    }
}
