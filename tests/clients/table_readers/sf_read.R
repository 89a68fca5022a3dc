# Reads a data source with sf, a layer of it if one is named, and prints its rows as CSV.
suppressMessages(library(sf))

arguments <- commandArgs(trailingOnly = TRUE)
features <- do.call(st_read, c(as.list(arguments), quiet = TRUE))
write.csv(
    data.frame(
        number = features$number,
        name = features$name,
        since = format(features$designated, "%Y-%m-%d"),
        wkb = st_as_binary(st_geometry(features), hex = TRUE)
    ),
    row.names = FALSE
)
