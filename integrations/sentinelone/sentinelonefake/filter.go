package sentinelonefake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// filter narrows agents down: all its conditions hold, each by any of its values.
// One without conditions matches every agent, and so does a condition without
// values.
type filter map[string][]string

// condition reports whether an agent fulfils it with any of the values.
type condition func(a agent, values []string) bool

// conditions are the filters that the double knows, with the vendor's names. The
// vendor has more of them; the double refuses those, rather than to ignore one.
func conditions() map[string]condition {
	is := func(get func(agent) string) condition {
		return func(a agent, values []string) bool { return slices.Contains(values, get(a)) }
	}
	not := func(c condition) condition {
		return func(a agent, values []string) bool { return !c(a, values) }
	}
	// Free text has no letter case, and matches any part.
	contains := func(get func(agent) []string) condition {
		return func(a agent, values []string) bool {
			return slices.ContainsFunc(values, func(v string) bool {
				return slices.ContainsFunc(get(a), func(have string) bool {
					return strings.Contains(strings.ToLower(have), strings.ToLower(v))
				})
			})
		}
	}
	flag := func(get func(agent) bool) condition {
		return func(a agent, values []string) bool {
			return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, strconv.FormatBool(get(a))) })
		}
	}
	names := func(a agent) []string { return []string{a.Name} }
	uuids := func(a agent) []string { return []string{a.uuid()} }
	all := map[string]condition{
		"ids":                                is(func(a agent) string { return a.ID }),
		"idsNin":                             not(is(func(a agent) string { return a.ID })),
		"uuids":                              is(agent.uuid),
		"uuid":                               is(agent.uuid),
		"uuid__contains":                     contains(uuids),
		"computerName":                       is(func(a agent) string { return a.Name }),
		"computerName__like":                 contains(names),
		"computerName__contains":             contains(names),
		"computerNameOrUuid__contains":       contains(func(a agent) []string { return []string{a.Name, a.uuid()} }),
		"networkInterfaceInet__contains":     contains(agent.addresses),
		"networkInterfacePhysical__contains": contains(func(a agent) []string { return []string{a.physical()} }),
		"externalId__contains":               contains(func(a agent) []string { return []string{a.external} }),
		"externalIp__contains":               contains(func(agent) []string { return []string{externalIP} }),
		"lastLoggedInUserName__contains":     contains(func(a agent) []string { return []string{a.lastUser()} }),
		"osVersion__contains":                contains(func(a agent) []string { return []string{a.OS} }),
		"osTypes":                            is(agent.osType),
		"osTypesNin":                         not(is(agent.osType)),
		"machineTypes":                       is(agent.machineType),
		"machineTypesNin":                    not(is(agent.machineType)),
		"networkStatuses":                    is(func(a agent) string { return a.status }),
		"networkStatusesNin":                 not(is(func(a agent) string { return a.status })),
		"domains":                            is(func(a agent) string { return a.Domain }),
		"domainsNin":                         not(is(func(a agent) string { return a.Domain })),
		"groupIds":                           is(agent.groupID),
		"siteIds":                            is(func(agent) string { return SiteID }),
		"accountIds":                         is(func(agent) string { return AccountID }),
		"isActive":                           flag(func(a agent) bool { return !a.Offline }),
		"isDecommissioned":                   flag(func(a agent) bool { return a.decommissioned }),
		"isUninstalled":                      flag(func(agent) bool { return false }),
		"isPendingUninstall":                 flag(func(agent) bool { return false }),
		"hasTags":                            flag(func(a agent) bool { return len(a.Tags) > 0 }),
		"tagsData":                           tagged,
		"query": contains(func(a agent) []string {
			return append([]string{a.Name, a.uuid(), a.Domain, a.OS, a.lastUser(), externalIP}, a.addresses()...)
		}),
	}
	maps.Copy(all, dates("lastActiveDate", agent.lastActive))
	return all
}

// dates are the four conditions on a time.
func dates(name string, get func(agent) time.Time) map[string]condition {
	made := map[string]condition{}
	for suffix, holds := range map[string]func(have, want time.Time) bool{
		"__gt":  time.Time.After,
		"__gte": func(have, want time.Time) bool { return !have.Before(want) },
		"__lt":  time.Time.Before,
		"__lte": func(have, want time.Time) bool { return !have.After(want) },
	} {
		made[name+suffix] = func(a agent, values []string) bool {
			want, err := time.Parse(time.RFC3339Nano, values[0])
			return err == nil && holds(get(a), want)
		}
	}
	return made
}

// tagged is the condition on tags: a JSON object of keys and their values.
func tagged(a agent, values []string) bool {
	var want map[string][]string
	if json.Unmarshal([]byte(strings.Join(values, ",")), &want) != nil {
		return false
	}
	for key, any := range want {
		name, without := strings.CutSuffix(key, "__nin")
		has := slices.ContainsFunc(any, func(v string) bool { return slices.Contains(a.Tags, Tag{Key: name, Value: v}.text()) })
		if has == without {
			return false
		}
	}
	return true
}

// filterOf reads the filter out of the parameters of a list.
func filterOf(q url.Values) (filter, *failure) {
	f := filter{}
	for name, values := range q {
		if slices.Contains(pagingNames(), name) {
			continue
		}
		if err := f.add(name, strings.Split(strings.Join(values, ","), ",")); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// filterIn reads the filter of a command. The vendor's schema requires the member;
// it may be empty, and then the command is for every agent there is.
func filterIn(body map[string]json.RawMessage) (filter, *failure) {
	var members map[string]any
	dec := json.NewDecoder(bytes.NewReader(body["filter"]))
	dec.UseNumber()
	if len(body["filter"]) == 0 || dec.Decode(&members) != nil || members == nil {
		return nil, invalid("filter: Missing data for required field.")
	}
	f := filter{}
	for name, value := range members {
		var values []string
		switch value := value.(type) {
		case nil:
		case []any:
			for _, v := range value {
				values = append(values, fmt.Sprint(v))
			}
		case string:
			values = strings.Split(value, ",")
		case map[string]any:
			return nil, invalid("filter -> " + name + ": Not a valid value.")
		default:
			values = []string{fmt.Sprint(value)}
		}
		if err := f.add(name, values); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// add adds a condition. One that has no values is dropped: it narrows nothing down.
func (f filter) add(name string, values []string) *failure {
	if conditions()[name] == nil {
		return invalid(name + ": Unknown field.")
	}
	values = slices.DeleteFunc(values, func(v string) bool { return strings.TrimSpace(v) == "" })
	if len(values) > 0 {
		f[name] = values
	}
	return nil
}

func (f filter) match(a agent) bool {
	all := conditions()
	for name, values := range f {
		if !all[name](a, values) {
			return false
		}
	}
	return true
}
