// What the workloads need of a callee.
service Echo {
    binary echo(1: binary payload)
}
