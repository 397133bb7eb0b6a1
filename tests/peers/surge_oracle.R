# Makes tests/the fixture of the alert statistic with R's package surveillance (Debian: r-cran-surveillance).
# Run: Rscript tests/peers/surge_oracle.R > tests/unit/alerts/glrnb.json
suppressPackageStartupMessages(library(surveillance))
set.seed(20161)
n <- 1000
minutes <- seq_len(n)
mu <- 12 * exp(0.4 * sin(2 * pi * minutes / 240))
ratio <- ifelse(minutes > 600 & minutes <= 660, 1.7, 1)
run <- function(alpha, theta, range = 1:n, x) {
  control <- list(range = range, c.ARL = 1e9, mu0 = mu[range], alpha = alpha, Mtilde = 1, M = -1,
                  change = "intercept", theta = theta, dir = "inc", ret = "value")
  object <- create.disProg(week = minutes, observed = x, state = rep(0, n), freq = 52, start = c(2001, 1))
  as.vector(algo.glrnb(object, control)$upperbound)
}
poisson <- rpois(n, mu * ratio)
negbin <- rnbinom(n, size = 1 / 0.05, mu = mu * ratio)
cases <- list(
  list(name = "fixed ratio 1.5, alpha 0.05", alpha = 0.05, theta = log(1.5), counts = negbin,
       value = run(0.05, log(1.5), x = negbin)),
  list(name = "fixed ratio 2, alpha 0.1", alpha = 0.1, theta = log(2), counts = negbin,
       value = run(0.1, log(2), x = negbin)),
  list(name = "fixed ratio 1.5, Poisson", alpha = 0, theta = log(1.5), counts = poisson,
       value = run(0, log(1.5), x = poisson)),
  list(name = "estimated ratio, alpha 0.05", alpha = 0.05, theta = NULL, counts = negbin,
       value = run(0.05, NULL, x = negbin)),
  list(name = "estimated ratio, Poisson", alpha = 0, theta = NULL, counts = poisson,
       value = run(0, NULL, x = poisson)))
call <- paste("algo.glrnb(disProg, list(range = 1:1000, c.ARL = 1e9, mu0 = mu, alpha = ALPHA, Mtilde = 1, M = -1,",
              "change = \"intercept\", theta = THETA, dir = \"inc\", ret = \"value\"))$upperbound")
numbers <- function(values) paste0("[", paste(sprintf("%.17g", values), collapse = ", "), "]")
case_json <- function(case) sprintf('{"name": "%s", "alpha": %g, "theta": %s,\n "counts": %s,\n "value": %s}',
  case$name, case$alpha, if (is.null(case$theta)) "null" else sprintf("%.17g", case$theta),
  numbers(case$counts), numbers(case$value))
cat(sprintf('{"version": "%s",\n "call": "%s",\n "mu": %s,\n "cases": [\n%s]}\n', packageVersion("surveillance"),
            gsub('"', '\\\\"', call), numbers(mu), paste(sapply(cases, case_json), collapse = ",\n")))
