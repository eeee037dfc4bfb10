// C++ with its standard library: streams, containers, algorithms, strings, smart pointers. No <fstream>: zig's libc++ for
// WASI has none.

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

struct Shape {
    virtual ~Shape() = default;
    virtual double area() const = 0;
    virtual std::string name() const = 0;
};

struct Circle : Shape {
    explicit Circle(double r) : r(r) {}
    double area() const override { return 3.141592653589793 * r * r; }
    std::string name() const override { return "circle"; }
    double r;
};

struct Box : Shape {
    Box(double w, double h) : w(w), h(h) {}
    double area() const override { return w * h; }
    std::string name() const override { return "box"; }
    double w, h;
};

template <typename T> std::optional<T> find_if(const std::vector<T> &values, std::function<bool(const T &)> wanted)
{
    auto found = std::find_if(values.begin(), values.end(), wanted);
    return found == values.end() ? std::nullopt : std::optional<T>(*found);
}

int main(int argc, char **argv)
{
    std::map<std::string, int> counts;
    std::string word;
    while (std::cin >> word)
        counts[word]++;
    for (const auto &[name, count] : counts)
        std::cout << std::setw(10) << std::left << name << count << '\n';

    std::mt19937 random(42);
    std::vector<int> numbers(200000);
    std::generate(numbers.begin(), numbers.end(), [&] { return static_cast<int>(random() % 1000003); });
    std::sort(numbers.begin(), numbers.end());
    std::cout << "median " << numbers[numbers.size() / 2] << ", sum "
              << std::accumulate(numbers.begin(), numbers.end(), 0LL) << '\n';
    std::unordered_map<int, int> seen;
    for (int number : numbers)
        seen[number]++;
    std::cout << "distinct " << seen.size() << ", big " << find_if<int>(numbers, [](int n) { return n > 999000; }).value_or(-1)
              << '\n';

    std::vector<std::unique_ptr<Shape>> shapes;
    shapes.push_back(std::make_unique<Circle>(2));
    shapes.push_back(std::make_unique<Box>(3, 4.5));
    for (const auto &shape : shapes)
        std::cout << shape->name() << ' ' << std::fixed << std::setprecision(4) << shape->area() << '\n';

    std::variant<int, std::string> either = "text";
    std::cout << std::visit([](const auto &value) { std::ostringstream out; out << value; return out.str(); }, either) << '\n';

    if (argc > 1) {
        std::ostringstream text;
        text << "line one\nline two\n" << std::hex << 255 << '\n';
        std::unique_ptr<FILE, int (*)(FILE *)> file(std::fopen(argv[1], "w+"), std::fclose);
        std::fputs(text.str().c_str(), file.get());
        std::rewind(file.get());
        char line[100];
        while (std::fgets(line, sizeof line, file.get()))
            std::cout << '[' << std::string(line, std::strlen(line) - 1) << "]\n";
    }
    std::set<std::string> names{"pear", "apple", "fig"};
    for (const auto &name : names)
        std::cout << name << ' ';
    auto since = std::chrono::system_clock::now().time_since_epoch();
    std::cout << (since > std::chrono::hours(24 * 365 * 50)) << std::endl;
    return argc > 2 ? std::stoi(argv[2]) : 0;
}
