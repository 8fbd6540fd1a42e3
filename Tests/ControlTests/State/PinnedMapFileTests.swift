import Control
import Datapath
import Foundation
import Services
import TestSupport
import Testing
import Wire

@Suite("The files that maps live in")
struct PinnedMapFileTests {
    private static let boot = "01234567-89ab-cdef-0123-456789abcdef"
    private static let capacity = 100

    private static func directory(_ folder: ManifestFolder, boot: String = boot) throws -> StateDirectory {
        try StateDirectory(path: folder.path + "/state", bootID: boot)
    }

    private static func configuration() -> World {
        var world = World()
        world.configuration.conntrackCapacity = capacity
        return world
    }

    /// A daemon's pipeline with three flows in files, which it leaves behind.
    private static func leave(in directory: StateDirectory) throws {
        let files = PinnedMapFiles(directory)
        let harness = DatapathHarness(configuration(), pinned: try files.create(conntrackCapacity: capacity))
        try files.commit()
        let now = Self.now
        for port in UInt16(1)...3 {
            var feed = Feed(tcp(World.client, port, to: World.vip, 80))
            feed.now = now
            harness.send([feed])
        }
    }

    /// The clock of deadlines is that of the machine.
    private static var now: UInt64 {
        var time = timespec()
        // Safe: the call writes one `timespec`.
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func restore(
        from directory: StateDirectory,
        servicePorts: Int? = 100
    ) -> (result: Restoration?, problems: [String]) {
        let world = configuration()
        var pipeline = Pipeline(
            world.configuration,
            interfaces: InterfaceTable(world.interfaces),
            services: ServiceTable(world.rules, seed: 1)
        )
        return PinnedMapFiles(directory).restore(into: &pipeline, servicePorts: servicePorts)
    }

    @Test("are found again by the next daemon, which makes new ones")
    func found() throws {
        let folder = try ManifestFolder()
        let directory = try Self.directory(folder)
        #expect(Self.restore(from: directory).result == nil)
        try Self.leave(in: directory)
        for _ in 0..<2 {
            let (result, problems) = Self.restore(from: directory)
            #expect(result?.flows == 3 && result?.refused == 0 && problems.isEmpty)
        }
        let names = try FileManager.default.contentsOfDirectory(atPath: directory.path).sorted()
        #expect(names == ["affinity.map", "conntrack.map", "lock"])
        let attributes = try FileManager.default.attributesOfItem(atPath: directory.path + "/conntrack.map")
        #expect(attributes[.posixPermissions] as? Int == 0o600)
    }

    @Test("are whole at each moment: a daemon that ends before it has taken over leaves the old ones")
    func interrupted() throws {
        let folder = try ManifestFolder()
        let directory = try Self.directory(folder)
        try Self.leave(in: directory)
        _ = try PinnedMapFiles(directory).create(conntrackCapacity: Self.capacity)
        #expect(Self.restore(from: directory).result?.flows == 3)
    }

    @Test(
        "are set aside when they are not what they should be",
        arguments: [
            "magic", "mark", "layout", "kind", "size", "boot", "check", "cut", "grown", "empty", "text", "numbers",
        ]
    )
    func unusable(_ damage: String) throws {
        let folder = try ManifestFolder()
        var directory = try Self.directory(folder)
        try Self.leave(in: directory)
        let path = directory.path + "/conntrack.map"
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        switch damage {
        case "magic": bytes[0] ^= 1
        case "mark": bytes.replaceSubrange(8..<12, with: bytes[8..<12].reversed())
        case "layout": bytes[12] ^= 0xff
        case "kind":
            bytes.replaceSubrange(
                0..<4096,
                with: try Data(contentsOf: URL(fileURLWithPath: directory.path + "/affinity.map"))[0..<4096]
            )
        case "size": bytes[20] ^= 1
        case "check": bytes[72] ^= 1
        case "cut": bytes.removeLast(128)
        case "grown": bytes.append(contentsOf: [UInt8](repeating: 0, count: 128))
        case "empty": bytes = Data()
        case "text": bytes = Data("hello".utf8)
        default: break
        }
        try bytes.write(to: URL(fileURLWithPath: path))
        if damage == "boot" {
            let other = try ManifestFolder()
            try FileManager.default.createDirectory(atPath: other.path + "/state", withIntermediateDirectories: true)
            try bytes.write(to: URL(fileURLWithPath: other.path + "/state/conntrack.map"))
            directory = try StateDirectory(path: other.path + "/state", bootID: String(Self.boot.reversed()))
            let (result, problems) = Self.restore(from: directory)
            #expect(result == nil && problems.count == 1)
            return
        }
        let (result, problems) = Self.restore(from: directory, servicePorts: damage == "numbers" ? nil : 100)
        #expect(result?.flows ?? 0 == 0)
        #expect(problems.first?.hasPrefix("\(path): ") == true)
        #expect(problems.first?.contains("it is now \(path).unusable, and nothing of it is used") == true)
        #expect(Self.restore(from: directory).problems.isEmpty, "it is said once")
        #expect(FileManager.default.fileExists(atPath: path + ".unusable"))
    }

    @Test("whose place is taken by something else are not followed", arguments: ["link", "fifo", "directory"])
    func strange(_ kind: String) throws {
        let folder = try ManifestFolder()
        let directory = try Self.directory(folder)
        try Self.leave(in: directory)
        let path = directory.path + "/conntrack.map"
        try FileManager.default.moveItem(atPath: path, toPath: path + ".other")
        switch kind {
        case "link": try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: path + ".other")
        case "fifo": #expect(unsafe mkfifo(path, 0o600) == 0)
        default: try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        }
        let (result, problems) = Self.restore(from: directory)
        #expect(result?.flows ?? 0 == 0 && problems.count == 1)
        try Self.leave(in: directory)
        #expect(Self.restore(from: directory).result?.flows == 3)
    }

    @Test("belong to one daemon at a time")
    func lock() throws {
        let folder = try ManifestFolder()
        do {
            let directory = try Self.directory(folder)
            #expect(throws: StateError.self) { _ = try Self.directory(folder) }
            #expect(directory.path.hasSuffix("/state"))
        }
        _ = try Self.directory(folder)
    }

    @Test("go with the numbers of ServicePorts, which stay the same for a boot")
    func numbers() throws {
        let folder = try ManifestFolder()
        let directory = try Self.directory(folder)
        let file = ServicePortFile(directory)
        #expect(file.load().registry == nil && file.load().problem == nil)
        var registry = ServicePortRegistry()
        let identities = (0..<5).map {
            ServicePortIdentity(namespace: "default", name: "web-\($0)", portName: "http", transport: .tcp)
        }
        for identity in identities { _ = registry.number(of: identity, name: identity.name) }
        try file.save(registry)
        var loaded = try #require(file.load().registry)
        for identity in identities.reversed() {
            #expect(
                loaded.number(of: identity, name: identity.name) == registry.number(of: identity, name: identity.name)
            )
        }
        #expect(loaded.names == registry.names)
        let text = try String(contentsOfFile: directory.path + "/serviceports.json", encoding: .utf8)
        try text.replacingOccurrences(of: Self.boot, with: "another")
            .write(toFile: directory.path + "/serviceports.json", atomically: true, encoding: .utf8)
        #expect(file.load().registry == nil && file.load().problem == nil)
        try text.replacingOccurrences(of: "web-3", with: "web-2")
            .write(toFile: directory.path + "/serviceports.json", atomically: true, encoding: .utf8)
        let (nothing, problem) = file.load()
        #expect(nothing == nil && problem?.contains("has \"web-2\" twice") == true)
    }
}
