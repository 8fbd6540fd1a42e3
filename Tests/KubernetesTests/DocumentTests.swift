import Foundation
import Kubernetes
import Testing

@Suite("Documents, Lists and files")
struct DocumentTests {
    @Test("unused kinds are skipped and counted, also those of the same name in other groups")
    func skipped() {
        let text = """
            {apiVersion: v1, kind: ConfigMap, data: {a: b}}
            ---
            {apiVersion: apps/v1, kind: Deployment}
            ---
            ---
            {apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: Any}}
            ---
            {apiVersion: v1, kind: ConfigMap}
            """
        let outcome = Outcome(text)
        #expect(outcome.set?.skipped == ["ConfigMap": 2, "Deployment.apps": 1, "Service.serving.knative.dev": 1])
        #expect(outcome.warnings == [])
    }

    @Test("Lists and typed lists; a fault names the place and the object")
    func lists() {
        let item = "{metadata: {name: a}, spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}}"
        #expect(Outcome("{apiVersion: v1, kind: ServiceList, items: [\(item)]}").set?.services.count == 1)
        #expect(Outcome("{apiVersion: v1, kind: List, items: []}").set?.count == 0)
        #expect(
            Outcome("{apiVersion: apps/v1, kind: DeploymentList, items: [{}, {}]}").set?.skipped == [
                "Deployment.apps": 2
            ]
        )
        let bad =
            "{apiVersion: v1, kind: ServiceList, items: [\(item), {metadata: {name: b}, spec: {ports: [{port: 0}]}}]}"
        #expect(
            Outcome(bad).faults == [
                "web.yaml: document 1: items[1].spec.ports[0].port: 0 is outside 1-65535 (Service default/b)"
            ]
        )
    }

    @Test("JSON: one document, several, or between YAML's separators")
    func json() {
        let object =
            #"{"apiVersion": "v1", "kind": "ConfigMap", "x": ["\u00e4\/\ud83d\ude00\t", -1.5e+3, true, null, {}]}"#
        for (text, count) in [(object, 1), (object + object, 2), (object + "\n---\n" + object, 2), (" \(object)\n", 1)]
        {
            let outcome = Outcome(text)
            #expect(outcome.set?.skipped == ["ConfigMap": count], "\(outcome.faults)")
            #expect(outcome.warnings == [])
        }
        #expect(Outcome("{apiVersion: v1, kind: ConfigMap}").set?.skipped == ["ConfigMap": 1])
    }

    @Test(
        "what is no JSON is refused in a file of that name",
        arguments: [
            "{a: 1}", "{\"a\": 1,}", "[1 2]", "{\"a\": 01}", "{\"a\": tru}", "{\"a\"", "{\"a\": \"\\x\"}",
            "{\"a\": \"\\ud83d\"}",
            "{\"a\": \"\n\"}", "{} x", "{\"a\": 1.}", "{\"a\": -}", "[1,]", "{\"a\": \"\\u12",
        ]
    )
    func strictJSON(_ text: String) {
        let outcome = Outcome(text, name: "a.json")
        #expect(outcome.faults.contains { $0.contains(": line ") }, "\(outcome.faults)")
    }

    @Test("a text without objects is worth a warning", arguments: ["", "---\n", "# nothing\n", "---\n---\nnull\n"])
    func empty(_ text: String) {
        #expect(Outcome(text).warnings == ["web.yaml: holds no objects"])
        #expect(Outcome(text).faults == [])
    }

    @Test("a directory is read in the order of its paths, hidden and other files left out")
    func directory() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "culvert-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        for folder in ["b", ".hidden"] {
            try FileManager.default.createDirectory(at: root.appending(path: folder), withIntermediateDirectories: true)
        }
        let files = [
            "a.yml": "a", "b/c.json": "{", "b/b.yaml": "b", "d.txt": "x", ".hidden/e.yaml": "x", ".f.yaml": "x",
        ]
        for (path, text) in files { try Data(text.utf8).write(to: root.appending(path: path)) }
        let faults = #expect(throws: ManifestError.self) { try ManifestLoader.load([root.path], rules: cluster) }?
            .faults
        let names = faults?.map { $0.file.dropFirst(root.path.count + 1) }
        #expect(names == ["a.yml", "b/b.yaml", "b/c.json"])
    }

    @Test("a pipe or a device in a directory is a fault, and not waited for", .timeLimit(.minutes(1)))
    func specialFiles() throws {
        let root = FileManager.default.temporaryDirectory.appending(path: "culvert-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: root) }
        try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true)
        let pipe = root.appending(path: "a.yaml").path
        try #require(unsafe mkfifo(pipe, 0o600) == 0)
        func faults() -> [ManifestFault] {
            #expect(throws: ManifestError.self) { try ManifestLoader.load([root.path], rules: cluster) }?.faults ?? []
        }
        #expect(faults().map(\.description) == ["\(pipe): is no ordinary file"])
        try FileManager.default.removeItem(atPath: pipe)
        try FileManager.default.createSymbolicLink(atPath: pipe, withDestinationPath: "/dev/zero")
        #expect(faults().map(\.description) == ["\(pipe): is no ordinary file"])
    }

    @Test("what cannot be read is a fault")
    func missing() {
        let faults = #expect(throws: ManifestError.self) {
            try ManifestLoader.load(["/nowhere/a.yaml"], rules: cluster)
        }
        #expect(faults?.description == "/nowhere/a.yaml: no such file or directory")
    }
}
