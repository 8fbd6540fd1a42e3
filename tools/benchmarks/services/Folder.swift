import Foundation

/// What is measured.
struct Options {
    var directory = ""
    var services = 10_000
    var endpoints = 10
    var rounds = 7
    var algorithm = "random"

    /// The options of a command line; nil if it is not understood.
    init?(_ arguments: [String]) {
        var rest = arguments.dropFirst()
        guard let directory = rest.popFirst() else { return nil }
        self.directory = directory
        while let flag = rest.popFirst() {
            guard let value = rest.popFirst() else { return nil }
            if flag == "--algorithm" {
                algorithm = value
                continue
            }
            guard let number = Int(value), number > 0 else { return nil }
            switch flag {
            case "--services": services = number
            case "--endpoints": endpoints = number
            case "--rounds": rounds = number
            default: return nil
            }
        }
        if services * endpoints > 1 << 20 { return nil }
    }

    /// The configuration of the node.
    var configuration: String {
        """
        node: {name: node-1, addresses: [192.0.2.10]}
        cluster: {podCIDR: 10.128.0.0/9, serviceCIDR: 10.64.0.0/12, dnsAddress: 10.79.0.10}
        proxy: {algorithm: \(algorithm)}
        """
    }
}

/// A directory with a file for each Service and for each EndpointSlice.
struct Folder {
    let options: Options

    init(_ options: Options) { self.options = options }

    var path: String { options.directory }

    func writeAll() throws {
        for number in 0..<options.services {
            try writeService(number, port: 80)
            try writeSlice(number, change: 0)
        }
    }

    func writeService(_ number: Int, port: Int) throws {
        // The first address of the block is nobody's.
        let place = number + 1
        try write(
            "service-\(number).yaml",
            """
            apiVersion: v1
            kind: Service
            metadata:
              name: svc-\(number)
              namespace: ns-\(number % 50)
              labels: {app.kubernetes.io/name: svc-\(number)}
            spec:
              clusterIP: 10.\(64 + place >> 16).\(place >> 8 & 255).\(place & 255)
              selector: {app: svc-\(number)}
              ports:
              - {name: http, port: \(port), targetPort: 8080}
            """
        )
    }

    /// Writes a slice, of which the first `change` endpoints are not ready.
    func writeSlice(_ number: Int, change: Int) throws {
        let endpoints = (0..<options.endpoints).map { place in
            let host = number * options.endpoints + place
            let address = "10.\(128 + host >> 16).\(host >> 8 & 255).\(host & 255)"
            let ready = place >= change
            return "- {addresses: [\(address)], conditions: {ready: \(ready)}, nodeName: node-\(host % 20)}"
        }
        try write(
            "slice-\(number).yaml",
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata:
              name: svc-\(number)-abcde
              namespace: ns-\(number % 50)
              labels: {kubernetes.io/service-name: svc-\(number)}
            addressType: IPv4
            ports: [{name: http, port: 8080}]
            endpoints:
            \(endpoints.joined(separator: "\n"))
            """
        )
    }

    private func write(_ name: String, _ text: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(options.directory)/\(name)"))
    }
}
