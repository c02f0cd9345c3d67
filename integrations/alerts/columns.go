package alerts

import "maps"

// Columns is a decoded alert with each list of objects as one object, whose members are
// the lists of what its objects have under a name: so that a path reaches the
// addresses of all interfaces, say, and several hosts in a list are seen to be several.
// Beside objects, other elements of a list are left out. What belongs together in one
// object of a list must be read from the alert itself.
func Columns(fields map[string]any) map[string]any {
	out := make(map[string]any, len(fields))
	for name, v := range fields {
		out[name] = columns(v)
	}
	return out
}

// ColumnsOf are the fields with each of these that is a list of objects as [Columns] has it.
func ColumnsOf(fields map[string]any, names ...string) map[string]any {
	groups := map[string]any{}
	for _, name := range names {
		if list, ok := fields[name].([]any); ok && len(Objects(list)) > 0 {
			groups[name] = list
		}
	}
	if len(groups) == 0 {
		return fields
	}
	all := maps.Clone(fields)
	maps.Copy(all, Columns(groups))
	return all
}

func columns(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return Columns(v)
	case []any:
		objects := Objects(v)
		if len(objects) == 0 {
			return v
		}
		out := map[string]any{}
		for _, one := range objects {
			for name, v := range one {
				list, _ := out[name].([]any)
				out[name] = append(list, v)
			}
		}
		return Columns(out)
	}
	return v
}

// Objects are the objects in a decoded value: those of a list, or the one that it is.
func Objects(v any) []map[string]any {
	switch v := v.(type) {
	case map[string]any:
		return []map[string]any{v}
	case []any:
		var all []map[string]any
		for _, item := range v {
			all = append(all, Objects(item)...)
		}
		return all
	}
	return nil
}
