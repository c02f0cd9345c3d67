package aws

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// finding is a document in GuardDuty's own format: keys begin with a small letter, lists
// of objects are columns, and an interface has its addresses in one place.
func finding(document map[string]any) map[string]any {
	f := document
	if _, hub := f["ProductArn"]; hub {
		f = fromHub(f)
	} else {
		f, _ = small(f).(map[string]any)
	}
	f = alerts.Columns(f)
	info, _ := alerts.Lookup(f, "service.additionalInfo").(map[string]any)
	if text, is := info["value"].(string); is {
		if inner, bad := alerts.Decode("", []byte(text)); bad == nil {
			info["value"] = inner
		}
	}
	resource, _ := f["resource"].(map[string]any)
	instance, _ := resource["instanceDetails"].(map[string]any)
	if nics, ok := instance["networkInterfaces"].(map[string]any); ok {
		nics["addresses"] = []any{nics["privateIpAddress"], alerts.Lookup(nics, "privateIpAddresses.privateIpAddress"), nics["ipv6Addresses"]}
	}
	return f
}

// small writes keys as GuardDuty does; some relays write them as AWS's SDKs do. A key
// that is there in both spellings keeps GuardDuty's.
func small(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			first, size := utf8.DecodeRuneInString(name)
			lower := string(unicode.ToLower(first)) + name[size:]
			if _, both := v[lower]; !both || lower == name {
				out[lower] = small(item)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = small(item)
		}
		return out
	}
	return v
}

// fromHub is a finding in Security Hub's format as GuardDuty writes it.
//
// https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
func fromHub(f map[string]any) map[string]any {
	arn, _ := f["Id"].(string)
	out := map[string]any{
		"id": arn[strings.LastIndex(arn, "/")+1:], "type": hubType(f), "severity": alerts.Lookup(f, "Severity.Label"),
		"title": f["Title"], "createdAt": f["CreatedAt"], "updatedAt": f["UpdatedAt"], "productName": hubProduct(f),
		"recordState": f["RecordState"], "workflow": map[string]any{"status": alerts.Lookup(f, "Workflow.Status")}, "sample": f["Sample"],
	}
	put(out, []string{"service", "eventFirstSeen"}, f["FirstObservedAt"])
	put(out, []string{"service", "eventLastSeen"}, f["LastObservedAt"])
	own, _ := f["ProductFields"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if path, ok := strings.CutPrefix(name, "aws/guardduty/"); ok {
			put(out, strings.Split(path, "/"), own[name])
		}
	}
	out["resource"] = map[string]any{"instanceDetails": hubInstance(f)}
	return out
}

// hubType is the type of the finding: Security Hub puts two levels of its own before it,
// and a hyphen in place of the slash.
func hubType(f map[string]any) any {
	found := alerts.Lookup(f, "Types")
	if found == nil {
		found = alerts.Lookup(f, "FindingProviderFields.Types")
	}
	types, is := found.([]any)
	if !is {
		types = []any{found}
	}
	for _, t := range types {
		text, _ := t.(string)
		text = text[strings.LastIndex(text, "/")+1:]
		if purpose, rest, ok := strings.Cut(text, ":"); ok {
			return purpose + ":" + strings.Replace(rest, "-", "/", 1)
		}
	}
	return nil
}

// hubProduct is the name of the product that found it, which is also the end of its ARN.
func hubProduct(f map[string]any) any {
	arn, _ := f["ProductArn"].(string)
	if name := arn[strings.LastIndex(arn, "/")+1:]; name != "" {
		return name
	}
	return f["ProductName"]
}

// hubInstance is the instances that the finding is about. Of their addresses the public
// ones are left out, as they are of GuardDuty's own format.
func hubInstance(f map[string]any) map[string]any {
	var ids, addresses []any
	for _, r := range alerts.Objects(f["Resources"]) {
		if kind, _ := r["Type"].(string); kind != "AwsEc2Instance" {
			continue
		}
		arn, _ := r["Id"].(string)
		ids = append(ids, arn[strings.LastIndex(arn, "/")+1:])
		v4, _ := alerts.Lookup(r, "Details.AwsEc2Instance.IpV4Addresses").([]any)
		for _, v := range v4 {
			text, _ := v.(string)
			if ip, err := netip.ParseAddr(text); err == nil && ip.IsPrivate() {
				addresses = append(addresses, text)
			}
		}
		v6, _ := alerts.Lookup(r, "Details.AwsEc2Instance.IpV6Addresses").([]any)
		addresses = append(addresses, v6...)
	}
	return map[string]any{"instanceId": ids, "networkInterfaces": map[string]any{"privateIpAddress": addresses}}
}

// put puts a value at a path, unless there is none.
func put(into map[string]any, path []string, v any) {
	if text, is := v.(string); v == nil || is && text == "" {
		return
	}
	for _, name := range path[:len(path)-1] {
		inner, ok := into[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			into[name] = inner
		}
		into = inner
	}
	into[path[len(path)-1]] = v
}
