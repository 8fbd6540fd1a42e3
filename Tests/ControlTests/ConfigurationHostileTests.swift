import Control
import Foundation
import TestSupport
import Testing

/// Texts that are no configuration at all, and some that mean harm.
@Suite("Hostile configurations")
struct ConfigurationHostileTests {
    @Test(arguments: ["", " ", "\n\n", "# nothing", "---\n", "---\n...\n", "~", "null", "{}"])
    func anEmptyFileLacksTheName(_ text: String) { #expect(faults(text) == ["node.name: is missing"]) }

    @Test(arguments: ["[]", "- node", "text", "7", "\"\"", "'null'", "[node: {name: a}]"])
    func theRootIsAMapping(_ text: String) { #expect(faults(text) == ["is not a mapping of settings"]) }

    @Test func thereIsOneDocument() {
        let told = faults("node: {name: a}\n---\nnode: {name: b}\n")
        #expect(told.count == 1 && told[0].contains("document"))
    }

    @Test(arguments: [
        "node: {name: a, name: b}", "node: {name: a}\nstate: a\nstate: none", "node: {name: a}\n'node': {}",
    ])
    func keysAreGivenOnce(_ text: String) {
        let told = faults(text)
        #expect(told.count == 1)
        #expect(told[0].contains("duplicate"))
    }

    @Test(arguments: [
        [0], [0x61, 0], Array("node: {name: a}\n".utf8) + [0], [0xff, 0xfe, 0x61, 0], [0xc0, 0x80], [0xed, 0xa0, 0x80],
    ])
    func onlyTextIsRead(_ bytes: [UInt8]) { #expect(faults(bytes) == ["is not UTF-8 text"]) }

    @Test func aByteOrderMarkIsNoMatter() {
        #expect(faults([0xef, 0xbb, 0xbf] + Array("node: {name: a}".utf8)) == [])
    }

    @Test func theSizeIsLimited() {
        let text = "node: {name: a}\n#"
        let full = text + String(repeating: "x", count: ConfigurationReader.sizeLimit - text.utf8.count)
        #expect(faults(full) == [])
        #expect(faults(full + "x") == ["larger than 256 KiB"])
    }

    @Test(arguments: [
        "node: {name: a", "node: a: b", "\tnode: {}", "node: *unknown", "node: \"a", "%YAML 9.9\n---\na: b",
        "node: {name: \"\\xZZ\"}",
        "a: b\n c", "@", "node: !<tag:x {name: a}",
    ])
    func whatIsNoYAMLIsOneFaultOnOneLine(_ text: String) {
        let told = faults(text)
        #expect(told.count == 1)
        #expect(told.allSatisfy { !$0.contains("\n") && !$0.isEmpty })
    }

    /// Levels that libyaml refuses, and levels that it takes, in either style.
    @Test(arguments: [
        ("[", 100_000), ("{a: ", 50_000), ("- ", 100_000), ("? ", 100_000), ("[", 990), ("- ", 990), ("{a: ", 990),
    ])
    func deepNestingIsAFault(_ level: String, _ count: Int) {
        let told = faults("node: {name: a}\ncluster:\n  " + String(repeating: level, count: count))
        #expect(told.count == 1)
    }

    @Test func deepNestingThatIsGoodYAMLIsAFault() {
        let deep = String(repeating: "[", count: 900) + String(repeating: "]", count: 900)
        #expect(!faults(with: "cluster: \(deep)").isEmpty)
        #expect(!faults(with: "? \(deep)\n: 1").isEmpty)
    }

    @Test func aliasesMayBeUsed() throws {
        let read = try configuration(
            """
            node: {name: &name a, zone: *name}
            interfaces:
            - {name: eth0, netns: a, address: 10.0.0.1/32, routes: &routes [0.0.0.0/0]}
            - {name: eth0, netns: b, address: 10.0.0.2/32, routes: *routes}
            """
        )
        #expect(read.node.zone == "a")
        #expect(read.interfaces.map(\.routes.count) == [1, 1])
    }

    /// A value that stands for 2^40 others, in every place where one can be put.
    @Test(arguments: [
        "cluster: {externalCIDRs: *a40}", "interfaces: *a40", "? *a40\n: 1", "*a40 : 1", "node: {? {x: *a40} : 1}",
        "cluster: *a40",
        "conntrack: {timeouts: *a40}", "cluster: {? [*a40, *a40] : 1, ? [*a40, *a40] : 2}",
    ])
    func anAliasBombIsAFaultAtOnce(_ place: String) {
        var lines = ["x:", "- &a0 [1, 2]"]
        for level in 1...40 { lines.append("- &a\(level) [*a\(level - 1), *a\(level - 1)]") }
        lines.append(place)
        let began = threadTime()
        let told = faults(lines.joined(separator: "\n"))
        #expect(threadTime() - began < 1_000_000_000)
        #expect(!told.isEmpty)
    }

    /// Lists of aliases of long lists: not exponential, but the square of a file's length.
    @Test func aliasesOfLongListsAreAFaultAtOnce() {
        let blocks = String(repeating: "10.0.0.0/8,", count: 8_000)
        let aliases = String(repeating: "*i,", count: 40_000)
        let text = "x: [&i {name: e, netns: a, address: 10.0.0.1/32, reaches: [\(blocks)]}]\ninterfaces: [\(aliases)]"
        let began = threadTime()
        #expect(!faults(with: text).isEmpty)
        #expect(threadTime() - began < 1_000_000_000)
    }

    @Test func filesThatCannotBeRead() {
        func fault(_ path: String) -> String {
            do {
                _ = try ConfigurationReader.read(path: path)
                return "read"
            } catch {
                return error.description
            }
        }
        let nowhere = NSTemporaryDirectory() + "culvert-\(UUID().uuidString).yaml"
        #expect(fault(nowhere) == "\(nowhere): no such file")
        #expect(fault(NSTemporaryDirectory()) == "\(NSTemporaryDirectory()): cannot be read")
    }

    @Test func aFileIsReadLikeItsText() throws {
        let scratch = try VerifyScratch()
        let good = try scratch.write("good.yaml", Array("node: {name: a}".utf8))
        #expect(try ConfigurationReader.read(path: good, environment: ["CULVERT_NODE_ZONE": "z"]).node.zone == "z")
        let bad = try scratch.write("bad.yaml", Array("node: {name: a}\nx: 1\ny: 2".utf8))
        do {
            _ = try ConfigurationReader.read(path: bad)
            Issue.record("unknown keys were read")
        } catch {
            #expect(error.description == "\(bad): x: is no setting\n\(bad): y: is no setting")
        }
    }
}
