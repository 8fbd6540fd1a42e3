/// Who uses the conntrack table, as text: what `culvert get conntrack --top` prints.
package enum UsageText {
    /// Three tables: Services, what flows lead to, clients.
    package static func text(_ usage: JSONValue, hasHeader: Bool) -> String {
        let flows = usage["flows"].number ?? 0
        let ports = usage["masqueradePorts"].number ?? 0
        let parts = [
            table("SERVICE", ["service"], usage["services"].elements, flows, hasHeader) { _ in nil },
            table("DESTINATION", ["protocol", "destination"], usage["destinations"].elements, flows, hasHeader) {
                // Only these take ports of the node's address.
                let used = $0["masqueradedFlows"].number ?? 0
                return "\(used) of \(ports)"
            },
            table("CLIENT", ["client"], usage["clients"].elements, flows, hasHeader) { _ in nil },
        ]
        return parts.filter { !$0.isEmpty }.joined(separator: "\n")
    }

    private static func table(
        _ title: String,
        _ keys: [String],
        _ rows: [JSONValue],
        _ total: Int,
        _ hasHeader: Bool,
        ports: (JSONValue) -> String?
    ) -> String {
        if rows.isEmpty { return "" }
        let hasPorts = ports(rows[0]) != nil
        var table = TextTable([title, "FLOWS", "SHARE"] + (hasPorts ? ["SNAT-PORTS"] : []) + ["PACKETS", "BYTES"])
        for row in rows {
            let flows = row["flows"].number ?? 0
            let tenths = total > 0 ? flows * 1000 / total : 0
            table.add(
                [
                    keys.compactMap { row[$0].string }.joined(separator: " "), "\(flows)",
                    "\(tenths / 10).\(tenths % 10) %",
                ] + (hasPorts ? [ports(row) ?? ""] : []) + [
                    "\(row["packets"].number ?? 0)", ByteCount.text(row["bytes"].number ?? 0),
                ]
            )
        }
        return hasHeader ? table.text : table.rowsText
    }
}
