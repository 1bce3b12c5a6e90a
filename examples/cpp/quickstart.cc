// A hog takes memory until the kernel kills it, and the account says what happened: quickstart.c in C++.
//
// c++ -std=c++11 quickstart.cc -o quickstart $(pkg-config --cflags --libs memoom)
#include <iostream>

#include <memoom.hpp>

int main()
{
    try {
        memoom::lab lab;
        memoom::group group = lab.group("quickstart", memoom::limit(memoom::size("80M")));
        memoom::watch watch = group.watch();
        memoom::worker hog = group.hog("alloc_memory_1");
        memoom::worker ticker = group.ticker("print_counter");
        while (hog.grow().status == MEMOOM_GROW_GREW)
            ;
        memoom::oom oom = watch.wait_oom(std::chrono::seconds(5));
        if (!oom)
            return 1;
        std::cout << oom.text();
        memoom::outcome outcome = hog.wait();
        lab.close();
        return outcome.oom_killed() && oom.killed(hog.pid()) && outcome.returncode() == -9 ? 0 : 1;
    } catch (const memoom::error &error) {
        std::cerr << error.what() << "\n";
        return error.status() == MEMOOM_ERR_UNSUPPORTED || error.status() == MEMOOM_ERR_PERMISSION_DENIED ? 77 : 1;
    }
}
