// Reads {"tables": {name: "(column: type, ...)"}, "queries": [text]} and writes, for
// each query, a list of what is wrong with it by Microsoft's own service for the
// language.
// Its argument is that package's folder.
const path = require('path');
const folder = process.argv[1];
require(path.join(folder, 'bridge.js'));
require(path.join(folder, 'Kusto.Language.Bridge.js'));
const { Symbols, GlobalState, KustoCode } = Kusto.Language;

const { tables, queries } = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const known = Object.entries(tables).map(([name, columns]) => new Symbols.TableSymbol.$ctor7(name, columns, ''));
const database = new Symbols.DatabaseSymbol.$ctor1('hunting', known, false);
const globals = GlobalState.Default.WithDatabase(database);

function check(query) {
  const diagnostics = KustoCode.ParseAndAnalyze(query, globals).GetDiagnostics();
  const found = [];
  for (let i = 0; i < diagnostics.Count; i++) {
    const d = diagnostics.getItem(i);
    found.push({ at: d.Start, severity: d.Severity, message: d.Message });
  }
  return found;
}

process.stdout.write(JSON.stringify(queries.map(check)));
